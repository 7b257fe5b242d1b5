// SPDX-License-Identifier: Apache-2.0
// Pools over images and sequences.

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/image.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/quantized_activation.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

absl::StatusOr<ImageWindow> PoolWindowOf(NodeCall& call, const Activation& x) {
  ASSIGN_OR_RETURN(const auto kernel, call.Ints("kernel_shape"));
  if (kernel.empty()) return call.Invalid("attribute \"kernel_shape\" is absent");
  return ImageWindowOf(call, x, kernel);
}

Attributes PoolAttributes(const ImageWindow& window) {
  Attributes attributes = window.attributes();
  attributes["pool_size"] = window.kernel;
  return attributes;
}

// The graph's operator called `name` of images, or that of volumes.
absl::StatusOr<Operand> Pool(NodeCall& call, const std::string& name, ValueId image,
                             const ImageWindow& window, const Activation& x) {
  Attributes attributes = PoolAttributes(window);
  if (window.is_of_volumes()) attributes["dilations"] = window.dilations;
  ASSIGN_OR_RETURN(const ValueId id,
                   call.Emit(absl::StrCat(name, window.is_of_volumes() ? "3d" : "2d"), {image},
                             std::move(attributes)));
  return window.is_of_volumes() ? FromVolume(call, id, x) : FromImage(call, id, x);
}

// One axis of an image of a known size under a window with gaps.
struct DilatedAxis {
  std::int64_t pad_before = 0;
  std::int64_t pad_after = 0;
  std::int64_t out = 1;
};

absl::StatusOr<DilatedAxis> DilatedAxisOf(const NodeCall& call, const Dim& in,
                                          const ImageWindow& window, std::size_t axis) {
  if (!in.is_constant()) return call.Unimplemented("a pool with dilations over an open size");
  const std::int64_t stride = window.strides[axis];
  const std::int64_t extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
  DilatedAxis result = {window.pads[axis], window.pads[axis + 2]};
  if (window.padding == "same") {
    const std::int64_t out = (in.value() + stride - 1) / stride;
    const std::int64_t total = std::max<std::int64_t>((out - 1) * stride + extent - in.value(), 0);
    result = {total / 2, total - total / 2};
  }
  const std::int64_t padded = in.value() + result.pad_before + result.pad_after;
  if (padded < extent || result.pad_before >= extent || result.pad_after >= extent) {
    return call.Invalid(absl::StrCat("a window that spans ", extent, " over ", in.value(),
                                     " pixels with pads of ", result.pad_before, " and ",
                                     result.pad_after));
  }
  result.out = (padded - extent) / stride + 1;
  return result;
}

// Of axis `axis` of `image`, [N, H, W, C]: `count` elements from `start` on.
absl::StatusOr<ValueId> PartOf(const NodeCall& call, ValueId image, std::size_t axis,
                               std::int64_t start, std::int64_t count, std::int64_t step,
                               const std::string& suffix) {
  using Ints = std::vector<std::int64_t>;
  return call.Emit("Slice", {image},
                   {{"axes", Ints{static_cast<std::int64_t>(axis)}},
                    {"starts", Ints{start}},
                    {"ends", Ints{start + (count - 1) * step + 1}},
                    {"steps", Ints{step}}},
                   suffix);
}

// The maximum along one axis under windows with gaps: that of two windows of a power of two pixels,
// which overlap, and these are made of two of half as many each.
absl::StatusOr<ValueId> DilatedMaximum(const NodeCall& call, ValueId image, std::size_t axis,
                                       const ImageWindow& window, std::int64_t out) {
  const std::int64_t kernel = window.kernel[axis];
  const std::int64_t dilation = window.dilations[axis];
  const std::int64_t stride = window.strides[axis];
  const auto larger = [&](std::int64_t apart, std::int64_t count, std::int64_t step,
                          const std::string& what) -> absl::StatusOr<ValueId> {
    const std::string suffix = absl::StrCat(axis == 0 ? "rows_" : "columns_", what);
    ASSIGN_OR_RETURN(const ValueId first,
                     PartOf(call, image, axis + 1, 0, count, step, absl::StrCat(suffix, "_first")));
    if (apart == 0) return first;
    ASSIGN_OR_RETURN(const ValueId second, PartOf(call, image, axis + 1, apart, count, step,
                                                  absl::StrCat(suffix, "_second")));
    return call.Emit("Maximum", {first, second}, {}, suffix);
  };
  std::int64_t covered = 1;
  for (; 2 * covered < kernel; covered *= 2) {
    const std::int64_t size = call.graph().ShapeOf(image)[axis + 1].value();
    const std::int64_t apart = covered * dilation;
    ASSIGN_OR_RETURN(image, larger(apart, size - apart, 1, absl::StrCat(2 * covered)));
  }
  return larger((kernel - covered) * dilation, out, stride, "all");
}

// A maximum under windows with gaps, of the columns and then of the rows.
absl::StatusOr<ValueId> DilatedPool(const NodeCall& call, ValueId image,
                                    const ImageWindow& window) {
  if (call.graph().TypeOf(image).data_type != DataType::kFloat32) {
    return call.Unimplemented("a pool of integers with dilations");
  }
  const Shape shape = call.graph().ShapeOf(image);  // [N, H, W, C]
  std::array<DilatedAxis, 2> axes;
  std::vector<std::int64_t> pads(8, 0);
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    ASSIGN_OR_RETURN(axes.at(axis), DilatedAxisOf(call, shape[axis + 1], window, axis));
    pads[axis + 1] = axes.at(axis).pad_before;
    pads[axis + 5] = axes.at(axis).pad_after;
  }
  if (std::any_of(pads.begin(), pads.end(), [](auto pad) { return pad != 0; })) {
    constexpr double kLowest = std::numeric_limits<float>::lowest();
    ASSIGN_OR_RETURN(image, call.Emit("Pad", {image}, {{"pads", pads}, {"value", kLowest}}, "pad"));
  }
  ASSIGN_OR_RETURN(image, DilatedMaximum(call, image, 1, window, axes[1].out));
  return DilatedMaximum(call, image, 0, window, axes[0].out);
}

// Bytes without a quantization, which a maximum does not need: the graph's operator wants one.
bool IsPlainBytes(const NodeCall& call, const Activation& x) {
  return (x.type == DataType::kInt8 || x.type == DataType::kUint8) &&
         !call.graph().TypeOf(NodeCall::AnyForm(x).second).quantization.has_value();
}

// The maxima and where they are. ONNX counts from the first image of all: there must be one.
Outputs PoolWithIndices(NodeCall& call, Activation& x, const ImageWindow& window) {
  if (call.lead() == 0 && call.translation().written_rows != 1) {
    return call.Unimplemented("its indices are used, which count from the batch's first image");
  }
  ASSIGN_OR_RETURN(const std::int64_t storage_order, call.Int("storage_order", 0));
  if (storage_order != 0 && storage_order != 1) {
    return call.Invalid(absl::StrCat("its storage_order is ", storage_order, ", wants 0 or 1"));
  }
  if (x.type != DataType::kFloat32) return call.Unimplemented("the indices of integers");
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, x));
  ASSIGN_OR_RETURN(const ValueId volume, AsVolume(call, image));
  const ImageWindow over = window.OverVolume();
  Attributes attributes = PoolAttributes(over);
  attributes["dilations"] = over.dilations;
  if (storage_order == 1) attributes["position_order"] = std::string("column_major");
  ASSIGN_OR_RETURN(
      const std::vector<ValueId> ids,
      call.graph().EmitMany("MaxPool3d", call.name(), {volume}, std::move(attributes), 2));
  std::vector<Operand> outputs;
  for (const ValueId id : ids) {
    ASSIGN_OR_RETURN(Operand output, FromVolume(call, id, x));
    outputs.push_back(std::move(output));
  }
  return outputs;
}

Outputs TranslateMaxPool(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const ImageWindow window, PoolWindowOf(call, *x));
  if (call.Wants(1)) return PoolWithIndices(call, *x, window);
  call.Ignore("storage_order");  // of the indices
  const DataType type = x->type;
  const bool is_plain = IsPlainBytes(call, *x);
  if (is_plain) {
    ASSIGN_OR_RETURN(x, IntegersOf(call, *x, {.type = type}));
  }
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, *x));
  if (window.has_dilations() && !window.is_of_volumes()) {
    ASSIGN_OR_RETURN(const ValueId id, DilatedPool(call, image, window));
    ASSIGN_OR_RETURN(Operand result, FromImage(call, id, *x));
    return Single(std::move(result));
  }
  ASSIGN_OR_RETURN(Operand result, Pool(call, "MaxPool", image, window, *x));
  if (is_plain) {
    ASSIGN_OR_RETURN(
        result, FromIntegers(call, std::get<std::shared_ptr<Activation>>(result.content), type));
  }
  return Single(std::move(result));
}

// `image` with zeros that count as pixels around it; what ceil_mode added behind does not count.
absl::StatusOr<ValueId> WithCountedPads(NodeCall& call, ValueId image, ImageWindow& window) {
  ASSIGN_OR_RETURN(const auto given, call.Ints("pads"));
  ASSIGN_OR_RETURN(const std::string auto_pad, call.String("auto_pad", "NOTSET"));
  if (auto_pad != "NOTSET") return call.Unimplemented("count_include_pad with auto_pad");
  const std::size_t spatial_rank = given.size() / 2;  // as ImageWindowOf saw
  const std::size_t rank = window.num_axes() + 2;
  std::vector<std::int64_t> pads(2 * rank, 0);
  for (std::size_t axis = 0; axis < spatial_rank; ++axis) {
    const std::int64_t after = given[axis + spatial_rank];
    pads[1 + axis] = given[axis];
    pads[rank + 1 + axis] = after;
    window.pads[axis] = 0;
    window.pads[axis + window.num_axes()] -= after;
  }
  if (std::all_of(pads.begin(), pads.end(), [](auto pad) { return pad == 0; })) return image;
  return call.Emit("Pad", {image}, {{"pads", pads}}, "pad");
}

Outputs TranslateAveragePool(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::int64_t counts_pads, call.Int("count_include_pad", 0));
  ASSIGN_OR_RETURN(ImageWindow window, PoolWindowOf(call, *x));
  ASSIGN_OR_RETURN(ValueId image, ImageOf(call, *x));
  if (counts_pads != 0 && window.padding != "valid") {
    ASSIGN_OR_RETURN(image, WithCountedPads(call, image, window));
  }
  if (window.has_dilations()) {
    window = window.OverVolume();
    ASSIGN_OR_RETURN(image, AsVolume(call, image));
  }
  ASSIGN_OR_RETURN(Operand result, Pool(call, "AveragePool", image, window, *x));
  return Single(std::move(result));
}

Outputs GlobalPool(NodeCall& call, const std::string& kind) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  if (x->shape.size() < 3) return call.Invalid("wants an input with axes of space");
  const auto [order, id] = NodeCall::AnyForm(*x);
  std::vector<std::int64_t> axes;
  for (std::size_t axis = 2; axis < x->shape.size(); ++axis) {
    axes.push_back(call.AxisIn(order, axis));
  }
  std::sort(axes.begin(), axes.end());
  ASSIGN_OR_RETURN(
      const ValueId result,
      call.Emit("Reduce", {id}, {{"kind", kind}, {"axes", axes}, {"keep_dims", std::int64_t{1}}}));
  return Single(call.Result(result, order));
}
Outputs TranslateGlobalAveragePool(NodeCall& call) { return GlobalPool(call, "mean"); }
Outputs TranslateGlobalMaxPool(NodeCall& call) { return GlobalPool(call, "max"); }

constexpr std::array kOperators = {
    OperatorEntry{"AveragePool", TranslateAveragePool},
    OperatorEntry{"GlobalAveragePool", TranslateGlobalAveragePool},
    OperatorEntry{"GlobalMaxPool", TranslateGlobalMaxPool},
    OperatorEntry{"MaxPool", TranslateMaxPool},
};

}  // namespace

std::span<const OperatorEntry> PoolingOperators() { return kOperators; }

}  // namespace octet::onnx
