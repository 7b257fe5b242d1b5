// SPDX-License-Identifier: Apache-2.0
// Integer weights for float inputs, in AVX2, which AVX-512's set uses too. Private to this room:
// MicroKernels says what they do.

#pragma once

#include <cstdint>

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx2 {

void ExpandS8(const ExpandRun& run, const std::int8_t* values);
void ExpandS4(const ExpandRun& run, const std::uint8_t* nibbles);
void MultiplyFewRowsS8(const FewRowsRun& run, const std::int8_t* panels);
void MultiplyFewRowsS4(const FewRowsRun& run, const std::uint8_t* panels);

}  // namespace octet::kernels::avx2
