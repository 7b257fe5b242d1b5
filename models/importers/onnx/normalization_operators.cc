// SPDX-License-Identifier: Apache-2.0
// Normalizations and softmax.

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operand_nodes.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// A form with the channels last: any for two axes.
absl::StatusOr<std::pair<Order, ValueId>> ChannelsLast(NodeCall& call, Activation& x) {
  const Order order = ChannelsLastOrder(x.shape.size());
  ASSIGN_OR_RETURN(const ValueId id, call.InOrder(x, order));
  return std::pair(order, id);
}

// A vector of one element a channel as [C, 1, ...], for an input of `rank` dimensions.
absl::StatusOr<Operand> AlongChannels(OtherNodes& nodes, const Operand& vector, std::size_t rank,
                                      absl::string_view what) {
  if (rank == 2) return vector;
  std::vector<std::int64_t> axes(rank - 2);
  std::iota(axes.begin(), axes.end(), std::int64_t{1});
  return nodes.Add("Unsqueeze", {vector, nodes.Numbers(axes)}, {}, what);
}

// What training computes: by the statistics of the input itself, which the moving ones draw near
// to.
Outputs NormalizeByOwnStatistics(NodeCall& call, const Shape& shape, float epsilon,
                                 float momentum) {
  const bool is_whole =
      std::all_of(shape.begin(), shape.end(), [](const Dim& dim) { return dim.is_constant(); });
  if (call.lead() == 0 || !is_whole) {
    return call.Unimplemented(
        "training, over a batch that is open: an answer must not depend on who shares the batch; "
        "wants all dimensions fixed");
  }
  OtherNodes nodes(call);
  std::vector<std::int64_t> numbers;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis != 1) numbers.push_back(static_cast<std::int64_t>(axis));
  }
  const auto mean_of = [&](const Operand& x, absl::string_view what) -> absl::StatusOr<Operand> {
    return nodes.Add("ReduceMean", {x, nodes.Numbers(numbers)}, {IntAttributeOf("keepdims", 0)},
                     what);
  };
  const auto along = [&](const Operand& vector, absl::string_view what) {
    return AlongChannels(nodes, vector, shape.size(), what);
  };
  ASSIGN_OR_RETURN(const Operand mean, mean_of(call.input(0), "mean"));
  ASSIGN_OR_RETURN(Operand value, along(mean, "mean"));
  ASSIGN_OR_RETURN(const Operand centered,
                   nodes.Add("Sub", {call.input(0), value}, {}, "centered"));
  ASSIGN_OR_RETURN(value, nodes.Add("Mul", {centered, centered}, {}, "squares"));
  ASSIGN_OR_RETURN(const Operand variance, mean_of(value, "variance"));
  ASSIGN_OR_RETURN(value, call.Broadcast("Add", {variance, NodeCall::Scalar(epsilon)},
                                         {{"activation", std::string("sqrt")}}, "deviation"));
  ASSIGN_OR_RETURN(value, along(value, "deviation"));
  ASSIGN_OR_RETURN(Operand y, nodes.Add("Div", {centered, value}, {}, "normalized"));
  ASSIGN_OR_RETURN(value, along(call.input(1), "scale"));
  ASSIGN_OR_RETURN(y, nodes.Add("Mul", {y, value}, {}, "scaled"));
  ASSIGN_OR_RETURN(value, along(call.input(2), "bias"));
  ASSIGN_OR_RETURN(y, nodes.Add("Add", {y, value}, {}, "y"));
  std::vector<Operand> outputs = {std::move(y)};
  for (const std::size_t i : {1U, 2U}) {
    if (!call.Wants(i)) {
      outputs.emplace_back();
      continue;
    }
    ASSIGN_OR_RETURN(const Operand kept,
                     nodes.Add("Mul", {call.input(i + 2), NodeCall::Scalar(momentum)}, {}, "kept"));
    ASSIGN_OR_RETURN(const Operand added,
                     nodes.Add("Mul", {i == 1 ? mean : variance, NodeCall::Scalar(1.0F - momentum)},
                               {}, "added"));
    ASSIGN_OR_RETURN(value, nodes.Add("Add", {kept, added}, {}, "moved"));
    outputs.push_back(std::move(value));
  }
  return outputs;
}

Outputs TranslateBatchNormalization(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(5, 5));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const float epsilon, call.Float("epsilon", 1e-5F));
  ASSIGN_OR_RETURN(const std::int64_t training, call.Int("training_mode", 0));
  ASSIGN_OR_RETURN(const std::int64_t spatial, call.Int("spatial", 1));
  ASSIGN_OR_RETURN(const float momentum, call.Float("momentum", 0.9F));
  call.Ignore("is_test");
  if (spatial != 1) return call.Unimplemented("statistics for each place of an image");
  if (x->shape.size() < 2) return call.Invalid("wants an input with channels");
  if (training != 0) return NormalizeByOwnStatistics(call, x->shape, epsilon, momentum);
  if (call.Wants(1)) return call.Unimplemented("statistics that it only computes in training");
  constexpr std::array<absl::string_view, 4> kNames = {"gamma", "beta", "moving_mean",
                                                       "moving_variance"};
  std::vector<ValueId> inputs = {kNoValue};
  std::vector<LayerVariable> variables;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    ASSIGN_OR_RETURN(const ConstantTensor constant, call.FloatConstant(i + 1, kNames.at(i)));
    inputs.push_back(call.AddConstant(call.input(i + 1).name, constant));
    variables.push_back({std::string(kNames.at(i)), constant, ""});
  }
  // Wherever the channels are; last where there is a choice, because convolutions have them there.
  auto [order, id] = NodeCall::AnyForm(*x);
  const auto last = x->forms.find(ChannelsLastOrder(x->shape.size()));
  if (last != x->forms.end()) std::tie(order, id) = *last;
  inputs[0] = id;
  const std::int64_t axis = call.AxisIn(order, 1);
  const bool is_last = axis + 1 == call.graph().Rank(id);
  ASSIGN_OR_RETURN(const ValueId result, call.Emit("BatchNormalization", std::move(inputs),
                                                   {{"epsilon", static_cast<double>(epsilon)},
                                                    {"axis", is_last ? std::int64_t{-1} : axis}}));
  call.Record("BatchNormalization", call.input(1).name, std::move(variables));
  return Single(call.Result(result, order));
}

// A scale or bias, which may have ones in front, or be one number for all, for rows of `shape`.
absl::StatusOr<ConstantTensor> AsRow(const NodeCall& call, const ConstantTensor& constant,
                                     std::span<const Dim> shape) {
  Dims row;
  for (const Dim& dim : shape) {
    if (!dim.is_constant()) return call.Unimplemented("normalizes an open dimension");
    row.push_back(dim.value());
  }
  const std::int64_t count = NumElements(row);
  if (NumElements(constant.dims()) == count) return WithDims(constant, row);
  if (NumElements(constant.dims()) != 1) {
    return call.Unimplemented(absl::StrCat("a scale or bias of ", ToString(constant.dims()),
                                           " for rows of ", ToString(row)));
  }
  const std::vector<float> same(static_cast<std::size_t>(count), FloatElements(constant)[0]);
  return ConstantTensor::Copy(DataType::kFloat32, row, same);
}

// What LayerNormalization gives besides: the mean of each row and one over its deviation, each with
// ones in place of the axes from `axis` on.
Outputs RowStatistics(NodeCall& call, std::size_t axis, float epsilon) {
  OtherNodes nodes(call);
  std::vector<std::int64_t> numbers(call.input(0).rank() - axis);
  std::iota(numbers.begin(), numbers.end(), static_cast<std::int64_t>(axis));
  const Operand axes = nodes.Numbers(numbers);
  ASSIGN_OR_RETURN(const Operand mean, nodes.Add("ReduceMean", {call.input(0), axes}, {}, "mean"));
  if (!call.Wants(2)) return std::vector<Operand>{mean, Operand()};
  ASSIGN_OR_RETURN(Operand value,
                   call.Broadcast("Subtract", {call.input(0), mean},
                                  {{"activation", std::string("square")}}, "squares"));
  ASSIGN_OR_RETURN(value, nodes.Add("ReduceMean", {value, axes}, {}, "variance"));
  ASSIGN_OR_RETURN(value, call.Broadcast("Add", {value, NodeCall::Scalar(epsilon)},
                                         {{"activation", std::string("sqrt")}}, "deviation"));
  ASSIGN_OR_RETURN(
      value, call.Broadcast("Divide", {NodeCall::Scalar(1.0F), value}, {}, "inverse_deviation"));
  return std::vector<Operand>{mean, value};
}

// LayerNormalization and RMSNormalization: over the axes from `axis` on.
Outputs RowNormalization(NodeCall& call, const std::string& op) {
  RETURN_IF_ERROR(call.CheckInputs(1, 3));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const float epsilon, call.Float("epsilon", 1e-5F));
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", -1));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, x->shape.size()));
  call.Ignore("stash_type");
  const bool has_statistics = call.Wants(1) || call.Wants(2);
  if (has_statistics && op != "LayerNormalization") {
    return call.Unimplemented("its mean or deviation is used");
  }
  const std::size_t rank = x->shape.size();
  Order order = PlainOrder(rank);
  ValueId id = kNoValue;
  if (axis + 1 == rank) {
    ASSIGN_OR_RETURN(std::tie(order, id), call.FormWithLastAxis(*x));
  } else {
    ASSIGN_OR_RETURN(id, call.InOrder(*x, order));
  }
  std::vector<ValueId> inputs = {id};
  std::vector<LayerVariable> variables;
  for (const std::size_t i : {1U, 2U}) {
    if (!call.Has(i)) break;
    ASSIGN_OR_RETURN(ConstantTensor constant, call.FloatConstant(i, i == 1 ? "scale" : "bias"));
    ASSIGN_OR_RETURN(constant, AsRow(call, constant, std::span(x->shape).subspan(axis)));
    inputs.push_back(
        call.AddConstant(absl::StrCat(call.name(), i == 1 ? "/scale" : "/bias"), constant));
    variables.push_back({i == 2                     ? "beta"
                         : op == "RmsNormalization" ? "scale"
                                                    : "gamma",
                         constant, ""});
  }
  ASSIGN_OR_RETURN(const ValueId result,
                   call.Emit(op, std::move(inputs),
                             {{"epsilon", static_cast<double>(epsilon)},
                              {"axis", static_cast<std::int64_t>(axis + call.lead())}}));
  if (!variables.empty()) {
    call.Record(op == "RmsNormalization" ? "RMSNormalization" : op,
                call.Has(1) ? call.input(1).name : "", std::move(variables));
  }
  std::vector<Operand> outputs = Single(call.Result(result, order));
  if (has_statistics) {
    ASSIGN_OR_RETURN(const std::vector<Operand> statistics, RowStatistics(call, axis, epsilon));
    outputs.insert(outputs.end(), statistics.begin(), statistics.end());
  }
  return outputs;
}
Outputs TranslateLayerNormalization(NodeCall& call) {
  return RowNormalization(call, "LayerNormalization");
}
Outputs TranslateRmsNormalization(NodeCall& call) {
  if (call.num_inputs() > 2) return call.Invalid("wants at most 2 inputs");
  return RowNormalization(call, "RmsNormalization");
}

// `groups` of channels; a scale and bias for each channel.
absl::StatusOr<Operand> NormalizeGroups(NodeCall& call, Activation& x, std::int64_t groups,
                                        const std::vector<float>& scale,
                                        const std::vector<float>& bias, float epsilon) {
  ASSIGN_OR_RETURN(const auto form, ChannelsLast(call, x));
  ValueId id = form.second;
  // The operator takes the first axis as the batch and all others but the last as one image.
  const bool is_wrapped = call.lead() == 1;
  if (is_wrapped && x.shape[0] != Dim(1)) {
    return call.Unimplemented(
        "images whose number is not 1, in a model whose first dimension is not the batch");
  }
  const auto channels = static_cast<std::int64_t>(scale.size());
  ASSIGN_OR_RETURN(id, call.Emit("GroupNormalization",
                                 {id, call.AddFloats("scale", {channels}, scale),
                                  call.AddFloats("bias", {channels}, bias)},
                                 {{"groups", groups}, {"epsilon", static_cast<double>(epsilon)}}));
  call.Record("GroupNormalization", call.input(1).name,
              {{"gamma", ConstantTensor::Copy(DataType::kFloat32, {channels}, scale), ""},
               {"beta", ConstantTensor::Copy(DataType::kFloat32, {channels}, bias), ""}});
  return call.Result(id, form.first);
}

Outputs GroupNode(NodeCall& call, bool is_instance) {
  RETURN_IF_ERROR(call.CheckInputs(3, 3));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const float epsilon, call.Float("epsilon", 1e-5F));
  ASSIGN_OR_RETURN(const ConstantTensor scale, call.FloatConstant(1, "scale"));
  ASSIGN_OR_RETURN(const ConstantTensor bias, call.FloatConstant(2, "bias"));
  if (x->shape.size() < 3 || !x->shape[1].is_constant()) {
    return call.Invalid("wants [N, C, ...] with known channels");
  }
  const std::int64_t channels = x->shape[1].value();
  std::int64_t groups = channels;
  if (!is_instance) {
    ASSIGN_OR_RETURN(groups, call.Int("num_groups", 0));
    call.Ignore("stash_type");
  }
  if (groups < 1 || channels % groups != 0) {
    return call.Invalid(absl::StrCat(groups, " groups of ", channels, " channels"));
  }
  // Until opset 20 GroupNormalization had one of each for a group.
  const bool is_per_group = !is_instance && call.opset() < 21;
  const std::int64_t wanted = is_per_group ? groups : channels;
  if (scale.dims() != Dims{wanted} || bias.dims() != Dims{wanted}) {
    return call.Invalid(absl::StrCat("its scale is ", ToString(scale.dims()), " and its bias ",
                                     ToString(bias.dims()), ", wants [", wanted, "]"));
  }
  const auto spread = [&](const ConstantTensor& constant) {
    const std::vector<float> given = FloatElements(constant);
    std::vector<float> values;
    for (std::int64_t c = 0; c < channels; ++c) {
      values.push_back(given[static_cast<std::size_t>(c * wanted / channels)]);
    }
    return values;
  };
  ASSIGN_OR_RETURN(Operand result,
                   NormalizeGroups(call, *x, groups, spread(scale), spread(bias), epsilon));
  return Single(std::move(result));
}
Outputs TranslateInstanceNormalization(NodeCall& call) { return GroupNode(call, true); }
Outputs TranslateGroupNormalization(NodeCall& call) { return GroupNode(call, false); }

// Softmax and LogSoftmax. Until opset 12 over all axes from `axis` on, taken as one.
Outputs SoftmaxNode(NodeCall& call, const std::string& op) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  const bool joins_axes = call.opset() < 13;
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", joins_axes ? 1 : -1));
  const std::size_t rank = x->shape.size();
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, rank));
  std::size_t wide = 0;  // axes that are not 1, from `axis` on
  std::size_t only = axis;
  for (std::size_t i = axis; i < rank; ++i) {
    if (x->shape[i] == Dim(1)) continue;
    ++wide;
    only = i;
  }
  if (!joins_axes || wide <= 1) {
    const auto [order, id] = NodeCall::AnyForm(*x);
    const std::int64_t place = call.AxisIn(order, joins_axes ? only : axis);
    const bool is_last = place + 1 == call.graph().Rank(id);
    ASSIGN_OR_RETURN(const ValueId result,
                     call.Emit(op, {id}, {{"axis", is_last ? std::int64_t{-1} : place}}));
    return Single(call.Result(result, order));
  }
  // [..., all of them], and back.
  ASSIGN_OR_RETURN(ValueId id, call.InOrder(*x, PlainOrder(rank)));
  const Shape old = call.graph().ShapeOf(id);
  std::vector<std::int64_t> joined(axis, 0);
  joined.push_back(-1);
  std::vector<std::int64_t> back(axis, 0);
  for (std::size_t i = axis; i < rank; ++i) {
    if (!x->shape[i].is_constant()) return call.Unimplemented("a softmax over open axes");
    back.push_back(x->shape[i].value());
  }
  ASSIGN_OR_RETURN(id, call.Reshape(id, joined, "joined"));
  ASSIGN_OR_RETURN(id, call.Emit(op, {id}, {{"axis", std::int64_t{-1}}}));
  ASSIGN_OR_RETURN(id, call.Reshape(id, back, "apart"));
  return Single(call.Result(id, PlainOrder(rank)));
}
Outputs TranslateSoftmax(NodeCall& call) { return SoftmaxNode(call, "Softmax"); }
Outputs TranslateLogSoftmax(NodeCall& call) { return SoftmaxNode(call, "LogSoftmax"); }

// x / (bias + alpha / size * (sum of x^2 over `size` channels around))^beta: the sum is the mean
// that a pool computes over the channels, times their number.
Outputs TranslateLrn(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 1e-4F));
  ASSIGN_OR_RETURN(const float beta, call.Float("beta", 0.75F));
  ASSIGN_OR_RETURN(const float bias, call.Float("bias", 1.0F));
  ASSIGN_OR_RETURN(const std::int64_t size, call.Int("size", 0));
  const std::size_t rank = x->shape.size();
  if (rank != 4 || call.lead() != 0 || size < 1 || size > (1 << 16)) {
    return call.Unimplemented("wants [N, C, H, W] and a size of at least 1");
  }
  for (const std::size_t axis : {1U, 2U, 3U}) {
    if (!x->shape[axis].is_constant()) return call.Unimplemented("images of an open size");
  }
  ASSIGN_OR_RETURN(const auto form, ChannelsLast(call, *x));
  const std::int64_t pixels = x->shape[2].value() * x->shape[3].value();
  const std::int64_t channels = x->shape[1].value();
  ASSIGN_OR_RETURN(ValueId id, call.Emit("Activation", {form.second},
                                         {{"activation", std::string("square")}}, "square"));
  ASSIGN_OR_RETURN(id, call.Reshape(id, {0, pixels, channels, 1}, "row"));
  ASSIGN_OR_RETURN(
      id,
      call.Emit("Pad", {id},
                {{"pads", std::vector<std::int64_t>{0, 0, (size - 1) / 2, 0, 0, 0, size / 2, 0}}},
                "pad"));
  ASSIGN_OR_RETURN(id, call.Emit("AveragePool2d", {id},
                                 {{"pool_size", std::vector<std::int64_t>{1, size}},
                                  {"strides", std::vector<std::int64_t>{1, 1}}},
                                 "mean"));
  ASSIGN_OR_RETURN(
      id, call.Reshape(id, {0, x->shape[2].value(), x->shape[3].value(), channels}, "image"));
  Operand value = call.Result(id, form.first);
  ASSIGN_OR_RETURN(value,
                   call.Broadcast("Multiply", {value, NodeCall::Scalar(alpha)}, {}, "alpha"));
  ASSIGN_OR_RETURN(value, call.Broadcast("Add", {value, NodeCall::Scalar(bias)}, {}, "bias"));
  ASSIGN_OR_RETURN(value, call.Broadcast("Power", {value, NodeCall::Scalar(beta)}, {}, "power"));
  ASSIGN_OR_RETURN(value, call.Broadcast("Divide", {call.input(0), value}));
  return Single(std::move(value));
}

constexpr std::array kOperators = {
    OperatorEntry{"BatchNormalization", TranslateBatchNormalization},
    OperatorEntry{"GroupNormalization", TranslateGroupNormalization},
    OperatorEntry{"InstanceNormalization", TranslateInstanceNormalization},
    OperatorEntry{"LRN", TranslateLrn},
    OperatorEntry{"LayerNormalization", TranslateLayerNormalization},
    OperatorEntry{"LogSoftmax", TranslateLogSoftmax},
    OperatorEntry{"RMSNormalization", TranslateRmsNormalization},
    OperatorEntry{"Softmax", TranslateSoftmax},
};

}  // namespace

std::span<const OperatorEntry> NormalizationOperators() { return kOperators; }

}  // namespace octet::onnx
