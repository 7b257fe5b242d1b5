// SPDX-License-Identifier: Apache-2.0
// The transposes of a two- and of a three-dimensional convolution, as in Keras.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeConvTranspose2d();
std::unique_ptr<const Operator> MakeConvTranspose3d();

}  // namespace octet
