// SPDX-License-Identifier: Apache-2.0
// Sums of int8 rows for AVX2, which avx512vnni uses as well. Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>

namespace octet::kernels::avx2 {

// As MicroKernels::sum_rows.
void SumRows(const std::int8_t* values, std::size_t stride, std::size_t rows, std::size_t k,
             std::uint32_t start, std::uint32_t factor, std::int32_t* sums);

}  // namespace octet::kernels::avx2
