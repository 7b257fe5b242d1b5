// SPDX-License-Identifier: Apache-2.0
// The tensors of an ONNX model as constants.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/external_data.h"
#include "models/importers/onnx/model_proto.h"
#include "models/tensor/tensor.h"

namespace octet::onnx {

// What elements of TensorProto.DataType `type` are here: FLOAT16, BFLOAT16 and DOUBLE become
// float32, INT4 and UINT4 int8 and uint8, one element a byte. UNIMPLEMENTED for text, complex
// numbers and 8-bit floats.
absl::StatusOr<DataType> ElementType(std::int64_t type);

// The constant that `tensor` is. Its elements are those of raw_data, of the field for their type,
// or of a file beside the model, just as many as its shape says. Returns INVALID_ARGUMENT naming
// the tensor, what it has and what it wants, and what ElementType and ExternalData::Read return.
// `owner` keeps the bytes that `tensor` points into.
absl::StatusOr<ConstantTensor> ToConstant(const TensorProto& tensor, ExternalData& external,
                                          const std::shared_ptr<const void>& owner);

// Elements of integer and bool types as int64; float32 ones are cut to whole numbers.
std::vector<std::int64_t> Int64Elements(const ConstantTensor& constant);
// Elements of any type as float32, and as double.
std::vector<float> FloatElements(const ConstantTensor& constant);
std::vector<double> DoubleElements(const ConstantTensor& constant);

// The inverse: `values` as elements of `type`, saturated where they do not fit. Float types become
// float32. Precondition: as many values as `dims` say.
ConstantTensor FromDoubles(DataType type, Dims dims, const std::vector<double>& values);
ConstantTensor FromInt64s(DataType type, Dims dims, const std::vector<std::int64_t>& values);

}  // namespace octet::onnx
