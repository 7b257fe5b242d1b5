// SPDX-License-Identifier: Apache-2.0
// Row quantization of AVX-512. Private to this room.

#pragma once

#include "kernels/row_quantize.h"

namespace octet::kernels::avx512vnni {

// MicroKernels::quantize_rows_s8.
void QuantizeRows(const RowQuantizeSpec& spec, std::span<const float> in,
                  std::span<std::int8_t> out, std::span<float> row_scale);

}  // namespace octet::kernels::avx512vnni
