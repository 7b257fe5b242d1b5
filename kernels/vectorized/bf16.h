// SPDX-License-Identifier: Apache-2.0
// Floats to bfloat16 in loops that the compiler vectorizes. Private to this room.

#pragma once

#include <cstdint>

#include "kernels/elementary.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// The nearest bfloat16, ties to even, in the low half; a NaN stays one.
inline std::uint32_t Bf16Bits(float x) {
  const auto bits = static_cast<std::uint32_t>(FloatBits(x));
  const std::uint32_t rounded = bits + 0x7FFFU + ((bits >> 16U) & 1U);
  const std::uint32_t quiet = bits | 0x400000U;
  return (x != x ? quiet : rounded) >> 16U;
}

}  // namespace
}  // namespace octet::kernels
