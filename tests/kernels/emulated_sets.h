// SPDX-License-Identifier: Apache-2.0
// Kernel sets of instructions that few machines have, emulated so that their code is tested on
// every CPU.

#pragma once

#include <span>

#include "kernels/kernel_set.h"

namespace octet::kernels {

std::span<const KernelSet* const> EmulatedKernelSets();

}  // namespace octet::kernels
