// SPDX-License-Identifier: Apache-2.0
// The int8 fully connected layer on one set's micro kernels. Private to this
// room.

#pragma once

#include <string_view>
#include <vector>

#include "kernels/matmul_s8.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

Prepared<MatmulS8> PreparePackedMatmulS8(const MicroKernels& micro, const MatmulS8Spec& spec);
std::vector<std::string_view> PackedMatmulS8Implementations(const MicroKernels& micro,
                                                            const MatmulS8Spec& spec);
Prepared<MatmulS8> PreparePackedMatmulS8S4(const MicroKernels& micro, const MatmulS8S4Spec& spec);
std::vector<std::string_view> PackedMatmulS8S4Implementations(const MicroKernels& micro,
                                                              const MatmulS8S4Spec& spec);

}  // namespace octet::kernels
