// SPDX-License-Identifier: Apache-2.0
// Integer constants as int8, which is what the graph's integer operators take.

#pragma once

#include "models/tensor/tensor.h"

namespace octet {

// `constant` as int8: uint8 with 128 less, as its zero points are then too; int8 as it is.
ConstantTensor AsInt8(const ConstantTensor& constant);

}  // namespace octet
