// SPDX-License-Identifier: Apache-2.0
// Products in fixed point (kernels/fixed_point.h) for loops that the compiler vectorizes. Private
// to this room.

#pragma once

#include <cstdint>

#include "kernels/fixed_point.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// MultiplyFixedPoint with a FixedPointScale's members. AVX2 has no arithmetic shift of 64 bits: a
// logical one of a number that 2^63 makes positive.
inline std::int32_t FixedPointProduct(std::int32_t x, std::int32_t multiplier, std::int64_t round,
                                      std::int64_t round_negative, std::int64_t shift) {
  constexpr std::uint64_t kOffset = std::uint64_t{1} << 63;
  const std::int64_t product = static_cast<std::int64_t>(x) * multiplier;
  const auto is_negative = static_cast<std::int64_t>(x >> 31);  // -1, or 0
  const std::int64_t addend = round ^ ((round ^ round_negative) & is_negative);
  const std::uint64_t rounded =
      static_cast<std::uint64_t>(product) + kOffset + static_cast<std::uint64_t>(addend);
  const auto bits = static_cast<std::uint64_t>(shift);
  return static_cast<std::int32_t>(
      static_cast<std::uint32_t>((rounded >> bits) - (kOffset >> bits)));
}
inline std::int32_t FixedPointProduct(std::int32_t x, const FixedPointScale& scale) {
  return FixedPointProduct(x, scale.multiplier, scale.round, scale.round_negative, scale.shift);
}

}  // namespace
}  // namespace octet::kernels
