// SPDX-License-Identifier: Apache-2.0
// The long short-term memory layer of int8 activations, as TensorFlow Lite's integer kernels
// compute it: kernels/fixed_point_lstm.h.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeFixedPointLstm();

}  // namespace octet
