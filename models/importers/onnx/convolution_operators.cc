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
  dims.resize(4, 1);
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
  ConstantTensor tensor;  // [M, C / groups, kh, kw]
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

Outputs TranslateConv(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::size_t spatial_rank, SpatialRank(call, *x));
  ASSIGN_OR_RETURN(const Filter filter, FilterOf(call, spatial_rank));
  ASSIGN_OR_RETURN(const ImageWindow window, ImageWindowOf(call, *x, filter.kernel));
  ASSIGN_OR_RETURN(const std::int64_t groups, call.Int("group", 1));
  const Dims& dims = filter.tensor.dims();
  const std::int64_t channels = dims[0];
  const bool is_depthwise = groups > 1 && x->shape[1] == Dim(groups) && dims[1] == 1;
  Attributes attributes = window.attributes();
  attributes["dilations"] = window.dilations;
  ConstantTensor kernel;
  if (is_depthwise) {
    if (channels % groups != 0) return call.Invalid("its channels do not divide by its groups");
    kernel = TransposeConstant(
        WithDims(filter.tensor, {groups, channels / groups, dims[2], dims[3]}), {2, 3, 0, 1});
  } else {
    attributes["groups"] = groups;
    kernel = TransposeConstant(filter.tensor, {2, 3, 1, 0});
  }
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, *x));
  const bool is_sequence = spatial_rank == 1;
  Dims stored = kernel.dims();
  if (is_sequence) stored.erase(stored.begin() + 1);
  std::vector<LayerVariable> variables = {{"kernel", WithDims(kernel, stored), ""}};
  const ValueId weights = call.AddConstant(
      absl::StrCat(call.input(1).name, is_depthwise ? "/depthwise" : "/hwio"), kernel);
  ASSIGN_OR_RETURN(const ValueId bias, BiasOf(call, 2, channels, variables));
  ASSIGN_OR_RETURN(const ValueId id,
                   call.Emit(is_depthwise ? "DepthwiseConv2d" : "Conv2d",
                             {image, weights, kNoValue, bias}, std::move(attributes)));
  call.Record(absl::StrCat(is_depthwise ? "DepthwiseConv" : "Conv", is_sequence ? "1D" : "2D"),
              call.input(1).name, std::move(variables));
  ASSIGN_OR_RETURN(Operand result, FromImage(call, id, *x));
  return Single(std::move(result));
}

// What is cut off at each side of a transposed convolution, and what is added behind.
struct TransposedPads {
  std::vector<std::int64_t> before = {0, 0};
  std::vector<std::int64_t> after = {0, 0};
  std::vector<std::int64_t> added = {0, 0};
};

absl::StatusOr<TransposedPads> TransposedPadsOf(NodeCall& call, const Activation& x,
                                                const ImageWindow& window,
                                                std::size_t spatial_rank) {
  TransposedPads pads;
  ASSIGN_OR_RETURN(const auto given, call.Ints("pads"));
  ASSIGN_OR_RETURN(const auto output_padding, call.Ints("output_padding"));
  ASSIGN_OR_RETURN(const auto output_shape, call.Ints("output_shape"));
  ASSIGN_OR_RETURN(const std::string auto_pad, call.String("auto_pad", "NOTSET"));
  ASSIGN_OR_RETURN(const auto extra, ImagePair(call, output_padding, spatial_rank, 0));
  for (std::size_t axis = 0; axis < spatial_rank; ++axis) {
    const Dim& dim = x.shape[axis + 2];
    if (!dim.is_constant()) return call.Unimplemented("images of an open size");
    const std::int64_t extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
    const std::int64_t full = (dim.value() - 1) * window.strides[axis] + extent + extra[axis];
    const bool is_same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
    std::int64_t before = given.empty() ? 0 : given[axis];
    std::int64_t after = given.empty() ? 0 : given[axis + spatial_rank];
    if (!output_shape.empty() || is_same) {
      if (!output_shape.empty() && output_shape.size() < spatial_rank) {
        return call.Invalid("its output_shape is too short");
      }
      // Some exporters write the batch and the channels in front.
      const std::int64_t wanted = output_shape.empty()
                                      ? dim.value() * window.strides[axis]
                                      : output_shape[output_shape.size() - spatial_rank + axis];
      const std::int64_t total = full - wanted;
      const std::int64_t half = total / 2;
      before = auto_pad == "SAME_UPPER" ? half : total - half;
      after = total - before;
    }
    pads.before[axis] = before;
    pads.after[axis] = std::max<std::int64_t>(after - extra[axis], 0);
    pads.added[axis] = std::max<std::int64_t>(extra[axis] - after, 0);
    if (before < 0 || after < 0 || extra[axis] < 0) {
      return call.Unimplemented("padding that adds to a transposed convolution's result");
    }
  }
  return pads;
}

Outputs TranslateConvTranspose(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::size_t spatial_rank, SpatialRank(call, *x));
  ASSIGN_OR_RETURN(const Filter filter, FilterOf(call, spatial_rank));
  const Dims& dims = filter.tensor.dims();  // [C, M / groups, kh, kw]
  ASSIGN_OR_RETURN(const std::int64_t groups, call.Int("group", 1));
  if (groups < 1 || groups > kMaxTransposedGroups || dims[0] % groups != 0) {
    return call.Unimplemented(absl::StrCat(groups, " groups of ", dims[0], " channels"));
  }
  ImageWindow window;
  ASSIGN_OR_RETURN(window.kernel, ImagePair(call, filter.kernel, spatial_rank, 1));
  ASSIGN_OR_RETURN(const auto strides, call.Ints("strides"));
  ASSIGN_OR_RETURN(window.strides, ImagePair(call, strides, spatial_rank, 1));
  ASSIGN_OR_RETURN(const auto dilations, call.Ints("dilations"));
  ASSIGN_OR_RETURN(window.dilations, ImagePair(call, dilations, spatial_rank, 1));
  ASSIGN_OR_RETURN(const TransposedPads pads, TransposedPadsOf(call, *x, window, spatial_rank));
  std::vector<float> bias;
  const std::int64_t channels = dims[1] * groups;
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(const ConstantTensor given, call.FloatConstant(2, "bias"));
    if (given.dims() != Dims{channels}) return call.Invalid("its bias has not its channels");
    bias = FloatElements(given);
  }
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, *x));
  const std::vector<float> all = FloatElements(filter.tensor);
  std::vector<ValueId> parts;
  const std::int64_t inputs = dims[0] / groups;
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::string part = groups == 1 ? "" : absl::StrCat("group_", group);
    ValueId from = image;
    if (groups > 1) {
      ASSIGN_OR_RETURN(from, call.Emit("Slice", {image},
                                       {{"axes", std::vector<std::int64_t>{3}},
                                        {"starts", std::vector<std::int64_t>{group * inputs}},
                                        {"ends", std::vector<std::int64_t>{(group + 1) * inputs}}},
                                       absl::StrCat(part, "/input")));
    }
    const auto size = static_cast<std::ptrdiff_t>(all.size()) / groups;
    const ConstantTensor weights = ConstantTensor::Copy(
        DataType::kFloat32, {inputs, dims[1], dims[2], dims[3]},
        std::vector<float>(all.begin() + group * size, all.begin() + (group + 1) * size));
    std::vector<ValueId> operands = {
        from, call.AddConstant(absl::StrCat(call.input(1).name, "/transposed", part),
                               TransposeConstant(weights, {2, 3, 1, 0}))};
    if (!bias.empty()) {
      operands.push_back(call.AddFloats(absl::StrCat(part, "/bias"), {dims[1]},
                                        std::vector<float>(bias.begin() + group * dims[1],
                                                           bias.begin() + (group + 1) * dims[1])));
    }
    ASSIGN_OR_RETURN(const ValueId id, call.Emit("ConvTranspose2d", std::move(operands),
                                                 {{"strides", window.strides},
                                                  {"dilations", window.dilations},
                                                  {"output_padding", pads.added}},
                                                 part));
    parts.push_back(id);
  }
  ValueId id = parts[0];
  if (groups > 1) {
    ASSIGN_OR_RETURN(id, call.Emit("Concat", parts, {{"axis", std::int64_t{3}}}, "groups"));
  }
  const Shape full = call.graph().ShapeOf(id);
  std::vector<std::int64_t> ends;
  for (const std::size_t axis : {0U, 1U}) {
    ends.push_back(full[axis + 1].value() - pads.after[axis]);
  }
  if (pads.before != std::vector<std::int64_t>{0, 0} ||
      pads.after != std::vector<std::int64_t>{0, 0}) {
    ASSIGN_OR_RETURN(id, call.Emit("Slice", {id},
                                   {{"axes", std::vector<std::int64_t>{1, 2}},
                                    {"starts", pads.before},
                                    {"ends", ends}},
                                   "cut"));
  }
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
