// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/constant_quantization.h"

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

// How a scale or zero point varies over `dims`: not at all, along an axis, or in blocks.
struct Granularity {
  std::size_t axis = 0;
  std::int64_t block = 0;  // 0: one for each index of the axis
  bool is_one = false;

  // Which of the scale's elements belongs to element `at` of a tensor of `dims`.
  [[nodiscard]] std::size_t IndexFor(std::int64_t at, const Dims& dims) const {
    if (is_one) return 0;
    const std::int64_t inner = NumElements(std::span(dims).subspan(axis + 1));
    const std::int64_t index = at / inner % dims[axis];
    if (block == 0) return static_cast<std::size_t>(index);
    const std::int64_t blocks = (dims[axis] + block - 1) / block;
    const std::int64_t outer = at / inner / dims[axis];
    return static_cast<std::size_t>((outer * blocks + index / block) * inner + at % inner);
  }
};

absl::StatusOr<Granularity> GranularityOf(NodeCall& call, const Dims& dims, const Dims& scale) {
  Granularity result;
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 1));
  ASSIGN_OR_RETURN(result.block, call.Int("block_size", 0));
  if (result.block < 0) return call.Invalid("a negative block_size");
  if (result.block == 0 && NumElements(scale) == 1) {
    result.is_one = true;
    return result;
  }
  ASSIGN_OR_RETURN(result.axis, call.Axis(raw_axis, dims.size()));
  Dims wanted = {dims[result.axis]};
  if (result.block > 0) {
    wanted = dims;
    wanted[result.axis] = (dims[result.axis] + result.block - 1) / result.block;
  }
  if (scale == wanted) return result;
  return call.Invalid(absl::StrCat("its scale is ", ToString(scale), " for a tensor of ",
                                   ToString(dims), ", wants ", ToString(wanted)));
}

// What a quantized constant's elements are: the zero point's type, or what an attribute says.
absl::StatusOr<DataType> QuantizedType(NodeCall& call) {
  ASSIGN_OR_RETURN(const std::int64_t given, call.Int("output_dtype", 0));
  DataType type = DataType::kUint8;
  if (call.Has(2)) {
    type = call.input(2).type();
  } else if (given != 0) {
    const auto known = ElementType(given);
    if (!known.ok()) return call.WithNode(known.status());
    type = *known;
  }
  // TensorProto.DataType of UINT4 and INT4.
  const bool is_4_bit = call.Has(2) ? call.translation().has_half_bytes.contains(call.input(2).name)
                                    : given == 21 || given == 22;
  if (IsInteger(type) && !is_4_bit) return type;
  return call.Unimplemented("quantizes a constant to 4 bits, or to no integers");
}

}  // namespace

absl::StatusOr<ConstantTensor> QuantizeConstant(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  call.Ignore("saturate");
  call.Ignore("precision");
  ASSIGN_OR_RETURN(const ConstantTensor x, call.FloatConstant(0, "x"));
  ASSIGN_OR_RETURN(const ConstantTensor scale, call.FloatConstant(1, "scale"));
  ASSIGN_OR_RETURN(const DataType type, QuantizedType(call));
  ASSIGN_OR_RETURN(const Granularity where, GranularityOf(call, x.dims(), scale.dims()));
  RETURN_IF_ERROR(ReserveConstant(call, x.dims()));
  const std::vector<float> scales = FloatElements(scale);
  std::vector<std::int64_t> zero_points(scales.size(), 0);
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(const ConstantTensor given, call.Constant(2, "zero point"));
    if (NumElements(given.dims()) != NumElements(scale.dims())) {
      return call.Invalid("its zero point is not of the scale's shape");
    }
    zero_points = Int64Elements(given);
  }
  std::vector<double> values;
  for (const float element : FloatElements(x)) {
    const std::size_t at = where.IndexFor(static_cast<std::int64_t>(values.size()), x.dims());
    values.push_back(std::nearbyint(element / scales[at]) + static_cast<double>(zero_points[at]));
  }
  return FromDoubles(type, x.dims(), values);
}

absl::StatusOr<ConstantTensor> DequantizeConstant(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  const ConstantTensor& x = *call.input(0).constant();
  ASSIGN_OR_RETURN(const ConstantTensor scale, call.FloatConstant(1, "scale"));
  ASSIGN_OR_RETURN(const Granularity where, GranularityOf(call, x.dims(), scale.dims()));
  call.Ignore("output_dtype");
  const std::vector<std::int64_t> integers = Int64Elements(x);
  const std::vector<float> scales = FloatElements(scale);
  std::vector<std::int64_t> zero_points(scales.size(), 0);
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(const ConstantTensor given, call.Constant(2, "zero point"));
    if (given.data_type() != x.data_type() ||
        NumElements(given.dims()) != NumElements(scale.dims())) {
      return call.Invalid("its zero point is not of the input's type and the scale's shape");
    }
    zero_points = Int64Elements(given);
  }
  std::vector<float> values(integers.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t at = where.IndexFor(static_cast<std::int64_t>(i), x.dims());
    values[i] = static_cast<float>(integers[i] - zero_points[at]) * scales[at];
  }
  return ConstantTensor::Copy(DataType::kFloat32, x.dims(), values);
}

}  // namespace octet::onnx
