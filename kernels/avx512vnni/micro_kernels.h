// SPDX-License-Identifier: Apache-2.0
// Private to this room.

#pragma once

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx512vnni {

extern const MicroKernels kMicroKernels;

}  // namespace octet::kernels::avx512vnni
