// SPDX-License-Identifier: Apache-2.0
// The lanes of a vector of 32-bit elements.

#pragma once

#include <cstddef>

#include "kernels/avx512vnni/intrinsics.h"

namespace octet::kernels::avx512vnni {
namespace {  // NOLINT: each translation unit wants its own copy

constexpr std::size_t kLanes = 16;
constexpr __mmask16 kWhole = 0xFFFF;

// Those of elements first, first + 1, ... of `size`, which may be none.
inline __mmask16 MaskOf(std::size_t size, std::size_t first = 0) {
  if (first >= size) return 0;
  const std::size_t rest = size - first;
  return static_cast<__mmask16>(rest >= kLanes ? kWhole : (1U << rest) - 1U);
}

}  // namespace
}  // namespace octet::kernels::avx512vnni
