// SPDX-License-Identifier: Apache-2.0
// Operators that clip in front of QuantizeLinear, which clips to its integers by itself.

#pragma once

#include <string>

#include "absl/functional/function_ref.h"

#include "models/importers/onnx/model_proto.h"

namespace octet::onnx {

// The constant of a name; null for what is none.
using FindTensor = absl::FunctionRef<const TensorProto*(const std::string&)>;

// Whether `clip`, in front of `quantizer`, is a Relu or a Clip that changes none of its integers:
// what is cut off would become the least or the largest of them anyway.
bool IsClippedAnyway(const NodeProto& clip, const NodeProto& quantizer, FindTensor find);

}  // namespace octet::onnx
