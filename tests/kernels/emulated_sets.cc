// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/emulated_sets.h"

#include <span>

namespace octet::kernels {

std::span<const KernelSet* const> EmulatedKernelSets() { return {}; }

}  // namespace octet::kernels
