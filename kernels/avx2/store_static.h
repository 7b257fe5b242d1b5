// SPDX-License-Identifier: Apache-2.0
// Sums to int8 (EpilogueKind::kStatic) in AVX2, which AVX-512's set uses too. Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx2 {

// As MicroKernels::store_s8, of a tile of `columns`, a multiple of 16. The table is kStatic and has
// no row_factor.
void StoreStatic(const EpilogueTable& table, const TileTarget& target, std::size_t columns,
                 const std::int32_t* tile);

}  // namespace octet::kernels::avx2
