// SPDX-License-Identifier: Apache-2.0
// Convolutions.

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/image.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// More would be more nodes than a model has.
constexpr std::int64_t kMaxTransposedGroups = 64;

// [M, C, k] as [M, C, k, 1].
ConstantTensor AsImageFilter(const ConstantTensor& filter) {
  Dims dims = filter.dims();
  if (dims.size() == 3) dims.push_back(1);
  return WithDims(filter, std::move(dims));
}

absl::StatusOr<ValueId> BiasOf(NodeCall& call, std::size_t index, std::int64_t channels,
                               std::vector<LayerVariable>& variables) {
  if (!call.Has(index)) return kNoValue;
  ASSIGN_OR_RETURN(const ConstantTensor bias, call.FloatConstant(index, "bias"));
  if (bias.dims() != Dims{channels}) {
    return call.Invalid(
        absl::StrCat("its bias is ", ToString(bias.dims()), ", wants [", channels, "]"));
  }
  variables.push_back({"bias", bias, ""});
  return call.AddConstant(call.input(index).name, bias);
}

struct Filter {
  ConstantTensor tensor;  // [M, C / groups, kh, kw], of volumes [M, C / groups, kd, kh, kw]
  std::vector<std::int64_t> kernel;
};

absl::StatusOr<Filter> FilterOf(NodeCall& call, std::size_t spatial_rank) {
  ASSIGN_OR_RETURN(const ConstantTensor tensor, call.FloatConstant(1, "weights"));
  const Dims& dims = tensor.dims();
  if (dims.size() != spatial_rank + 2 || NumElements(dims) == 0) {
    return call.Invalid(absl::StrCat("its weights are ", ToString(dims), ", wants ",
                                     spatial_rank + 2, " dimensions of at least 1"));
  }
  Filter filter{AsImageFilter(tensor), {dims.begin() + 2, dims.end()}};
  ASSIGN_OR_RETURN(const auto given, call.Ints("kernel_shape", filter.kernel));
  if (given != filter.kernel) {
    return call.Invalid(absl::StrCat("attribute \"kernel_shape\" is ", ToString(given),
                                     " and its weights are ", ToString(dims)));
  }
  return filter;
}

// [M, C, ...] as [..., C, M].
ConstantTensor ChannelsLast(const ConstantTensor& filter) {
  Order order;
  for (std::size_t axis = 2; axis < filter.dims().size(); ++axis) order.push_back(axis);
  order.push_back(1);
  order.push_back(0);
  return TransposeConstant(filter, order);
}

Outputs TranslateConv(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::size_t spatial_rank, SpatialRank(call, *x, kMostAxes));
  ASSIGN_OR_RETURN(const Filter filter, FilterOf(call, spatial_rank));
  ASSIGN_OR_RETURN(const ImageWindow window, ImageWindowOf(call, *x, filter.kernel));
  ASSIGN_OR_RETURN(const std::int64_t groups, call.Int("group", 1));
  const Dims& dims = filter.tensor.dims();
  const std::int64_t channels = dims[0];
  const bool is_depthwise =
      groups > 1 && x->shape[1] == Dim(groups) && dims[1] == 1 && !window.is_of_volumes();
  Attributes attributes = window.attributes();
  attributes["dilations"] = window.dilations;
  ConstantTensor kernel;
  if (is_depthwise) {
    if (channels % groups != 0) return call.Invalid("its channels do not divide by its groups");
    kernel = TransposeConstant(
        WithDims(filter.tensor, {groups, channels / groups, dims[2], dims[3]}), {2, 3, 0, 1});
  } else {
    attributes["groups"] = groups;
    kernel = ChannelsLast(filter.tensor);
  }
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, *x));
  Dims stored = kernel.dims();
  if (spatial_rank == 1) stored.erase(stored.begin() + 1);
  std::vector<LayerVariable> variables = {{"kernel", WithDims(kernel, stored), ""}};
  const ValueId weights =
      call.AddConstant(absl::StrCat(call.input(1).name, is_depthwise             ? "/depthwise"
                                                        : window.is_of_volumes() ? "/dhwio"
                                                                                 : "/hwio"),
                       kernel);
  ASSIGN_OR_RETURN(const ValueId bias, BiasOf(call, 2, channels, variables));
  const std::string op = is_depthwise             ? "DepthwiseConv2d"
                         : window.is_of_volumes() ? "Conv3d"
                                                  : "Conv2d";
  ASSIGN_OR_RETURN(const ValueId id,
                   call.Emit(op, {image, weights, kNoValue, bias}, std::move(attributes)));
  call.Record(absl::StrCat(is_depthwise ? "DepthwiseConv" : "Conv", SpatialName(spatial_rank)),
              call.input(1).name, std::move(variables));
  ASSIGN_OR_RETURN(Operand result, FromImage(call, id, *x));
  return Single(std::move(result));
}

// What is cut off at each side of a transposed convolution, and what is added behind.
struct TransposedPads {
  std::vector<std::int64_t> before;
  std::vector<std::int64_t> after;
  std::vector<std::int64_t> added;

  [[nodiscard]] bool cut() const {
    const auto is_some = [](std::int64_t pad) { return pad != 0; };
    return std::any_of(before.begin(), before.end(), is_some) ||
           std::any_of(after.begin(), after.end(), is_some);
  }
};

absl::StatusOr<TransposedPads> TransposedPadsOf(NodeCall& call, const Activation& x,
                                                const ImageWindow& window,
                                                std::size_t spatial_rank) {
  const std::vector<std::int64_t> none(window.num_axes(), 0);
  TransposedPads pads = {none, none, none};
  ASSIGN_OR_RETURN(const auto given, call.Ints("pads"));
  ASSIGN_OR_RETURN(const auto output_padding, call.Ints("output_padding"));
  ASSIGN_OR_RETURN(const auto output_shape, call.Ints("output_shape"));
  ASSIGN_OR_RETURN(const std::string auto_pad, call.String("auto_pad", "NOTSET"));
  ASSIGN_OR_RETURN(const auto extra, ImageSizes(call, output_padding, spatial_rank, 0));
  if (!given.empty() && given.size() != 2 * spatial_rank) {
    return call.Invalid(
        absl::StrCat("got ", given.size(), " pads for ", spatial_rank, " axes of space"));
  }
  RETURN_IF_ERROR(CheckImageSizes(call, "pads", given, 0));
  RETURN_IF_ERROR(CheckImageSizes(call, "output_padding", extra, 0));
  if (!output_shape.empty() && output_shape.size() < spatial_rank) {
    return call.Invalid("its output_shape is too short");
  }
  const bool is_same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  for (std::size_t axis = 0; axis < spatial_rank; ++axis) {
    const Dim& dim = x.shape[axis + 2];
    if (!dim.is_constant()) return call.Unimplemented("images of an open size");
    const std::int64_t extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
    const std::int64_t full = (dim.value() - 1) * window.strides[axis] + extent + extra[axis];
    std::int64_t before = given.empty() ? 0 : given[axis];
    std::int64_t after = given.empty() ? 0 : given[axis + spatial_rank];
    std::int64_t missing = 0;  // behind all that the filter reaches
    if (!output_shape.empty() || is_same) {
      // Some exporters write the batch and the channels in front.
      const std::int64_t wanted = output_shape.empty()
                                      ? dim.value() * window.strides[axis]
                                      : output_shape[output_shape.size() - spatial_rank + axis];
      RETURN_IF_ERROR(CheckImageSizes(call, "result's sizes", {wanted}, 1));
      const std::int64_t total = std::max<std::int64_t>(full - wanted, 0);
      missing = std::max<std::int64_t>(wanted - full, 0);
      const std::int64_t half = total / 2;
      before = auto_pad == "SAME_UPPER" ? half : total - half;
      after = total - before;
    }
    const std::int64_t behind = extra[axis] + missing - after;
    pads.before[axis] = before;
    pads.after[axis] = std::max<std::int64_t>(-behind, 0);
    pads.added[axis] = std::max<std::int64_t>(behind, 0);
  }
  return pads;
}

std::vector<float> PartOf(const std::vector<float>& values, std::int64_t part,
                          std::int64_t num_parts) {
  const auto size = static_cast<std::ptrdiff_t>(values.size()) / num_parts;
  return {values.begin() + part * size, values.begin() + (part + 1) * size};
}

// The sum of what every pixel of `image` spreads, group by group.
absl::StatusOr<ValueId> Transposed(NodeCall& call, ValueId image, const ConstantTensor& filter,
                                   const std::vector<float>& bias, std::int64_t groups,
                                   const Attributes& attributes) {
  using Ints = std::vector<std::int64_t>;
  const std::vector<float> all = FloatElements(filter);
  const std::int64_t channel_axis = call.graph().Rank(image) - 1;
  Dims dims = filter.dims();  // [C, M / groups, ...]
  dims[0] /= groups;
  std::vector<ValueId> parts;
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::string part = groups == 1 ? "" : absl::StrCat("group_", group);
    ValueId from = image;
    if (groups > 1) {
      ASSIGN_OR_RETURN(from, call.Emit("Slice", {image},
                                       {{"axes", Ints{channel_axis}},
                                        {"starts", Ints{group * dims[0]}},
                                        {"ends", Ints{(group + 1) * dims[0]}}},
                                       absl::StrCat(part, "/input")));
    }
    const ConstantTensor weights =
        ConstantTensor::Copy(DataType::kFloat32, dims, PartOf(all, group, groups));
    std::vector<ValueId> operands = {
        from, call.AddConstant(absl::StrCat(call.input(1).name, "/transposed", part),
                               ChannelsLast(weights))};
    if (!bias.empty()) {
      operands.push_back(
          call.AddFloats(absl::StrCat(part, "/bias"), {dims[1]}, PartOf(bias, group, groups)));
    }
    ASSIGN_OR_RETURN(const ValueId id,
                     call.Emit(channel_axis == 4 ? "ConvTranspose3d" : "ConvTranspose2d",
                               std::move(operands), attributes, part));
    parts.push_back(id);
  }
  if (groups == 1) return parts[0];
  return call.Emit("Concat", parts, {{"axis", channel_axis}}, "groups");
}

// `id` without what the pads say.
absl::StatusOr<ValueId> Cut(const NodeCall& call, ValueId id, const TransposedPads& pads) {
  if (!pads.cut()) return id;
  const Shape full = call.graph().ShapeOf(id);
  std::vector<std::int64_t> axes;
  std::vector<std::int64_t> ends;
  for (std::size_t axis = 0; axis < pads.after.size(); ++axis) {
    axes.push_back(static_cast<std::int64_t>(axis) + 1);
    ends.push_back(full[axis + 1].value() - pads.after[axis]);
  }
  return call.Emit("Slice", {id}, {{"axes", axes}, {"starts", pads.before}, {"ends", ends}}, "cut");
}

Outputs TranslateConvTranspose(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::size_t spatial_rank, SpatialRank(call, *x, kMostAxes));
  ASSIGN_OR_RETURN(const Filter filter, FilterOf(call, spatial_rank));
  const Dims& dims = filter.tensor.dims();  // [C, M / groups, ...]
  ASSIGN_OR_RETURN(const std::int64_t groups, call.Int("group", 1));
  if (groups < 1 || groups > kMaxTransposedGroups || dims[0] % groups != 0) {
    return call.Unimplemented(absl::StrCat(groups, " groups of ", dims[0], " channels"));
  }
  ASSIGN_OR_RETURN(const ImageWindow window, ImageStepsOf(call, *x, filter.kernel));
  ASSIGN_OR_RETURN(const TransposedPads pads, TransposedPadsOf(call, *x, window, spatial_rank));
  std::vector<float> bias;
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(const ConstantTensor given, call.FloatConstant(2, "bias"));
    if (given.dims() != Dims{dims[1] * groups}) {
      return call.Invalid("its bias has not its channels");
    }
    bias = FloatElements(given);
  }
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, *x));
  const Attributes attributes = {
      {"strides", window.strides}, {"dilations", window.dilations}, {"output_padding", pads.added}};
  ASSIGN_OR_RETURN(ValueId id, Transposed(call, image, filter.tensor, bias, groups, attributes));
  ASSIGN_OR_RETURN(id, Cut(call, id, pads));
  ASSIGN_OR_RETURN(Operand result, FromImage(call, id, *x));
  return Single(std::move(result));
}

constexpr std::array kOperators = {
    OperatorEntry{"Conv", TranslateConv},
    OperatorEntry{"ConvTranspose", TranslateConvTranspose},
};

}  // namespace

std::span<const OperatorEntry> ConvolutionOperators() { return kOperators; }

}  // namespace octet::onnx
