// SPDX-License-Identifier: Apache-2.0
// The long short-term memory layer of float32 activations that are quantized step by step, as
// TensorFlow Lite's dynamic range kernel does.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeDynamicLstm();

}  // namespace octet
