// SPDX-License-Identifier: Apache-2.0
// Private to this room.

#pragma once

#include "kernels/kernel_set.h"

namespace octet::kernels::amx {

extern const KernelSet kSet;

}  // namespace octet::kernels::amx
