// SPDX-License-Identifier: Apache-2.0
// What operators compute of single numbers, for constants.

#pragma once

#include <cstdint>
#include <string>

namespace octet::onnx {

// An operator of two numbers. Comparisons and logic give 0 or 1.
struct BinaryFunction {
  double (*real)(double, double);
  // Wraps around as the machine's own integers do. Null: only for real numbers.
  std::int64_t (*integer)(std::int64_t, std::int64_t);
};

// Those of the operator `op`; null for one that there is none for.
const BinaryFunction* FindBinaryFunction(const std::string& op);

// An operator of one number.
using UnaryFunction = double (*)(double);
UnaryFunction FindUnaryFunction(const std::string& op);

}  // namespace octet::onnx
