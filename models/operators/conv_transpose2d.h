// SPDX-License-Identifier: Apache-2.0
// The transpose of a two-dimensional convolution, as in Keras.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeConvTranspose2d();

}  // namespace octet
