// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fully_connected_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "models/base/status_macros.h"

namespace octet {
namespace {

using Input = FullyConnectedInput;

absl::Status CheckGroups(const Node& node, const NodeInputs& inputs,
                         const FullyConnectedForm& form) {
  if (!inputs.Has(Input::kGroupIndex)) return absl::OkStatus();
  const auto k = static_cast<std::int64_t>(form.k);
  const bool is_float = inputs.type(Input::kGroupIndex).data_type == DataType::kFloat32;
  if (form.group_size == 0) {
    return InvalidNode(node, "got a \"group_index\" without the attribute \"group_size\"");
  }
  RETURN_IF_ERROR(inputs.CheckConstant(Input::kGroupIndex, "group_index",
                                       is_float ? DataType::kFloat32 : DataType::kInt32,
                                       std::array{k}));
  const ConstantTensor& constant = *inputs.constant(Input::kGroupIndex);
  std::vector<double> groups;
  if (is_float) {
    for (const float group : FloatElements(constant)) groups.push_back(group);
  } else {
    for (const std::int32_t group : Int32Elements(constant)) groups.push_back(group);
  }
  for (const double group : groups) {
    if (!(group >= 0.0 && group < static_cast<double>(form.num_groups)) ||
        group != std::floor(group)) {
      return InvalidNode(node, "\"group_index\" holds ", group, ", wants whole numbers from 0 to ",
                         form.num_groups - 1);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckIntegerWeight(const Node& node, const NodeInputs& inputs,
                                const FullyConnectedForm& form) {
  const auto n = static_cast<std::int64_t>(form.n);
  const auto groups = static_cast<std::int64_t>(form.num_groups);
  const auto dims_of = [&](std::size_t index) {
    if (form.group_size == 0) return ChannelDims(inputs.constant(index), n);
    return form.is_transposed ? Dims{n, groups} : Dims{groups, n};
  };
  if (!inputs.Has(Input::kScale)) {
    return InvalidNode(node, "integer weights without a \"weight_scale\"");
  }
  RETURN_IF_ERROR(inputs.CheckScale(Input::kScale, "weight_scale", dims_of(Input::kScale)));
  if (inputs.Has(Input::kZeroPoint)) {
    RETURN_IF_ERROR(inputs.CheckDataType(Input::kZeroPoint, "weight_zero_point",
                                         {DataType::kInt8, DataType::kUint8}));
    RETURN_IF_ERROR(inputs.CheckConstant(Input::kZeroPoint, "weight_zero_point",
                                         inputs.type(Input::kZeroPoint).data_type,
                                         dims_of(Input::kZeroPoint)));
    RETURN_IF_ERROR(WeightZeroPoints(node, "weight_zero_point",
                                     inputs.type(Input::kWeight).data_type,
                                     *inputs.constant(Input::kZeroPoint))
                        .status());
  }
  return CheckGroups(node, inputs, form);
}

absl::Status CheckCombination(const Node& node, const NodeInputs& inputs,
                              const FullyConnectedForm& form) {
  const DataType weight = inputs.type(Input::kWeight).data_type;
  const bool is_int4 = weight == DataType::kInt4 || weight == DataType::kUint4;
  if (form.is_float) {
    for (const std::size_t i : {Input::kScale, Input::kZeroPoint, Input::kGroupIndex}) {
      if (inputs.Has(i)) return InvalidNode(node, "float32 weights with input ", i);
    }
    if (form.group_size != 0) return InvalidNode(node, "float32 weights with a \"group_size\"");
    if (form.quantization != ActivationQuantization::kNone) {
      return UnimplementedNode(node, "float32 weights with quantized activations");
    }
    return absl::OkStatus();
  }
  if (form.quantization == ActivationQuantization::kNone) return absl::OkStatus();
  if (inputs.Has(Input::kInputScale)) {
    return UnimplementedNode(node, "an \"input_scale\" with quantized activations");
  }
  if (form.group_size == 0) return absl::OkStatus();
  if (form.quantization == ActivationQuantization::kStatic || !is_int4 ||
      form.convention != kernels::ScaleConvention::kMultiply) {
    return UnimplementedNode(node,
                             "quantized activations with groups, but for int4 weights, "
                             "\"dynamic\" and \"multiply\"");
  }
  return absl::OkStatus();
}

// Rows that QuantizeRows has made, and the scale of each.
absl::Status CheckQuantizedRows(const Node& node, const NodeInputs& inputs,
                                const FullyConnectedForm& form) {
  if (form.quantization != ActivationQuantization::kDynamic) {
    return InvalidNode(node,
                       "got a \"row_scale\", which wants activation_quantization \"dynamic\"");
  }
  if (inputs.Has(Input::kGroupIndex)) {
    return UnimplementedNode(node, "a \"group_index\" beside a \"row_scale\"");
  }
  RETURN_IF_ERROR(inputs.CheckDataType(Input::kX, "x", {DataType::kInt8}));
  RETURN_IF_ERROR(inputs.CheckDataType(Input::kRowScale, "row_scale", {DataType::kFloat32}));
  RETURN_IF_ERROR(inputs.CheckRank(Input::kX, "x", 1));
  if (inputs.type(Input::kX).quantization.has_value()) {
    return InvalidNode(node, "input \"x\" has a quantization of its own beside a \"row_scale\"");
  }
  Shape wanted = inputs.shape(Input::kX);
  wanted.back() = Dim(1);
  if (inputs.shape(Input::kRowScale) != wanted) {
    return InvalidNode(node, "input \"row_scale\" has shape ",
                       ToString(inputs.shape(Input::kRowScale), {}), ", wants ",
                       ToString(wanted, {}));
  }
  return absl::OkStatus();
}

absl::Status CheckActivationTypes(const Node& node, const NodeInputs& inputs,
                                  const FullyConnectedForm& form) {
  const bool is_static = form.quantization == ActivationQuantization::kStatic;
  if (form.has_quantized_rows) {
    RETURN_IF_ERROR(CheckQuantizedRows(node, inputs, form));
  } else {
    RETURN_IF_ERROR(is_static ? CheckStaticInput(node, inputs, Input::kX)
                              : inputs.CheckDataType(Input::kX, "x", {DataType::kFloat32}));
  }
  RETURN_IF_ERROR(CheckStaticWeights(node, inputs.type(Input::kX).data_type,
                                     inputs.type(Input::kWeight).data_type,
                                     inputs.Has(Input::kZeroPoint)));
  RETURN_IF_ERROR(inputs.CheckRank(Input::kX, "x", 1));
  if (inputs.shape(Input::kX).back() != Dim(static_cast<std::int64_t>(form.k))) {
    return InvalidNode(node, "input \"x\" has shape ", ToString(inputs.shape(Input::kX), {}),
                       ", wants ", form.k, " as its last dimension");
  }
  if (inputs.Has(Input::kBias)) {
    const std::array dims{static_cast<std::int64_t>(form.n)};
    RETURN_IF_ERROR(
        is_static ? CheckStaticBias(inputs, Input::kBias, inputs.type(Input::kX).data_type, dims)
                  : inputs.CheckConstant(Input::kBias, "bias", DataType::kFloat32, dims));
  }
  if (inputs.Has(Input::kInputScale)) {
    RETURN_IF_ERROR(inputs.CheckScale(Input::kInputScale, "input_scale",
                                      std::array{static_cast<std::int64_t>(form.k)}));
  }
  return absl::OkStatus();
}

std::vector<std::size_t> GroupOfRow(const FullyConnectedForm& form,
                                    const ConstantTensor& group_index) {
  std::vector<std::size_t> groups;
  groups.reserve(form.k);
  if (group_index.data_type() == DataType::kFloat32) {
    for (const float group : FloatElements(group_index)) {
      groups.push_back(static_cast<std::size_t>(group));
    }
  } else {
    for (const std::int32_t group : Int32Elements(group_index)) {
      groups.push_back(static_cast<std::size_t>(group));
    }
  }
  return groups;
}

// The weights with their inputs in `order`, if there is one.
std::vector<std::int8_t> InOrder(const FullyConnectedForm& form, std::vector<std::int8_t> weights,
                                 std::span<const std::uint32_t> order) {
  if (order.empty()) return weights;
  std::vector<std::int8_t> ordered(weights.size());
  const std::size_t input_stride = form.is_transposed ? 1 : form.n;
  const std::size_t output_stride = form.is_transposed ? form.k : 1;
  for (std::size_t p = 0; p < form.k; ++p) {
    for (std::size_t j = 0; j < form.n; ++j) {
      ordered[p * input_stride + j * output_stride] =
          weights[order[p] * input_stride + j * output_stride];
    }
  }
  return ordered;
}

// Scales or zero points as kernels want them: [groups, n], which lie as [n, groups] beside a
// transposed weight, or [n].
template <typename T>
std::vector<T> KernelOrder(const FullyConnectedForm& form, std::vector<T> values) {
  if (form.group_size == 0) return PerChannel(std::move(values), form.n);
  if (!form.is_transposed) return values;
  std::vector<T> result;
  result.reserve(values.size());
  for (std::size_t g = 0; g < form.num_groups; ++g) {
    for (std::size_t j = 0; j < form.n; ++j) result.push_back(values[j * form.num_groups + g]);
  }
  return result;
}

}  // namespace

absl::StatusOr<FullyConnectedForm> CheckFullyConnected(const Node& node, const NodeInputs& inputs) {
  RETURN_IF_ERROR(inputs.CheckCounts(2, Input::kCount));
  RETURN_IF_ERROR(inputs.CheckDataType(
      Input::kWeight, "weight",
      {DataType::kFloat32, DataType::kInt8, DataType::kInt4, DataType::kUint4, DataType::kUint8}));
  RETURN_IF_ERROR(inputs.CheckConstant(Input::kWeight, "weight"));
  RETURN_IF_ERROR(inputs.CheckRank(Input::kWeight, "weight", 2, 2));
  const Dims& dims = inputs.constant(Input::kWeight)->dims();
  if (dims[0] < 1 || dims[1] < 1) {
    return InvalidNode(node, "input \"weight\" has shape ", ToString(dims),
                       ", wants dimensions of at least 1");
  }
  FullyConnectedForm form;
  ASSIGN_OR_RETURN(form.is_transposed, FlagAttribute(node, "transpose_weight", false));
  form.k = static_cast<std::size_t>(form.is_transposed ? dims[1] : dims[0]);
  form.n = static_cast<std::size_t>(form.is_transposed ? dims[0] : dims[1]);
  form.is_float = inputs.type(Input::kWeight).data_type == DataType::kFloat32;
  ASSIGN_OR_RETURN(const std::int64_t group_size, IntAttribute(node, "group_size", 0, 0));
  form.group_size = static_cast<std::size_t>(group_size);
  if (form.group_size != 0) form.num_groups = (form.k + form.group_size - 1) / form.group_size;
  ASSIGN_OR_RETURN(form.quantization, ActivationQuantizationAttribute(node));
  form.has_quantized_rows = inputs.Has(Input::kRowScale);
  ASSIGN_OR_RETURN(form.convention, ScaleConventionAttribute(node));
  RETURN_IF_ERROR(CheckCombination(node, inputs, form));
  RETURN_IF_ERROR(CheckActivationTypes(node, inputs, form));
  if (!form.is_float) RETURN_IF_ERROR(CheckIntegerWeight(node, inputs, form));
  return form;
}

std::optional<std::vector<std::uint32_t>> GroupOrder(const FullyConnectedForm& form,
                                                     const ConstantTensor* group_index) {
  if (group_index == nullptr || form.group_size == 0) return std::vector<std::uint32_t>();
  const std::vector<std::size_t> groups = GroupOfRow(form, *group_index);
  std::vector<std::uint32_t> order(form.k);
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&groups](std::uint32_t a, std::uint32_t b) { return groups[a] < groups[b]; });
  for (std::size_t p = 0; p < form.k; ++p) {
    if (groups[order[p]] != p / form.group_size) return std::nullopt;
  }
  if (std::is_sorted(order.begin(), order.end())) order.clear();
  return order;
}

absl::StatusOr<IntegerWeights> MakeIntegerWeights(const Node& node, const FullyConnectedForm& form,
                                                  std::span<const ConstantTensor* const> constants,
                                                  std::span<const std::uint32_t> order) {
  const ConstantTensor& weight = *constants[Input::kWeight];
  IntegerWeights result;
  result.bits = BitWidth(weight.data_type()) == 4 ? 4 : 8;
  result.layout =
      form.is_transposed ? kernels::WeightLayout::kOutputMajor : kernels::WeightLayout::kInputMajor;
  result.values = InOrder(form, UnpackWeights(weight), order);
  result.scale = KernelOrder(form, FloatElements(*constants[Input::kScale]));
  const std::int32_t shift = WeightShift(weight.data_type());
  const ConstantTensor* zero_point =
      Input::kZeroPoint < constants.size() ? constants[Input::kZeroPoint] : nullptr;
  if (zero_point == nullptr) {
    if (shift != 0) result.zero_point.assign(result.scale.size(), static_cast<std::int8_t>(-shift));
    return result;
  }
  ASSIGN_OR_RETURN(std::vector<std::int8_t> values,
                   WeightZeroPoints(node, "weight_zero_point", weight.data_type(), *zero_point));
  result.zero_point = KernelOrder(form, std::move(values));
  return result;
}

std::vector<float> DequantizedWeights(const FullyConnectedForm& form,
                                      const IntegerWeights& unordered,
                                      const ConstantTensor& group_index) {
  const std::vector<std::size_t> groups = GroupOfRow(form, group_index);
  std::vector<float> weights(form.k * form.n);
  for (std::size_t p = 0; p < form.k; ++p) {
    for (std::size_t j = 0; j < form.n; ++j) {
      const std::size_t at = groups[p] * form.n + j;
      const std::int32_t zero_point =
          unordered.zero_point.empty() ? 0 : std::int32_t{unordered.zero_point[at]};
      const std::size_t from = form.is_transposed ? j * form.k + p : p * form.n + j;
      const auto difference = static_cast<float>(unordered.values[from] - zero_point);
      weights[p * form.n + j] = form.convention == kernels::ScaleConvention::kReciprocal
                                    ? difference / unordered.scale[at]
                                    : difference * unordered.scale[at];
    }
  }
  return weights;
}

}  // namespace octet
