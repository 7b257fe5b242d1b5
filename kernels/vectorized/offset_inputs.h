// SPDX-License-Identifier: Apache-2.0
// Inputs of an instruction that multiplies unsigned by signed bytes (vpdpbusd): shifted by 128.

#pragma once

#include <cstddef>
#include <cstdint>

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// S8Panels::pack_lhs where lhs_offset is 128.
void PackOffsetInputs(const std::int8_t* lhs, std::size_t lhs_stride, std::size_t rows,
                      std::size_t k, std::size_t k_padded, std::byte* out) {
  auto* target = reinterpret_cast<std::uint8_t*>(out);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::int8_t* source = lhs + r * lhs_stride;
    for (std::size_t p = 0; p < k; ++p) target[p] = static_cast<std::uint8_t>(source[p] ^ 0x80);
    for (std::size_t p = k; p < k_padded; ++p) target[p] = 0;
    target += k_padded;
  }
}

}  // namespace
}  // namespace octet::kernels
