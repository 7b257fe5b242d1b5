// SPDX-License-Identifier: Apache-2.0
// The builtin operators of TensorFlow Lite by their published numbers.

#pragma once

#include <cstdint>
#include <string>

namespace octet::tflite {

// "CONV_2D" for 3, "builtin operator 4711" for a number that none has.
std::string OperatorName(std::int64_t code);

}  // namespace octet::tflite
