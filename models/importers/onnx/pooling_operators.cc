// SPDX-License-Identifier: Apache-2.0
// Pools over images and sequences.

#include <algorithm>
#include <array>
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
  ASSIGN_OR_RETURN(ImageWindow window, ImageWindowOf(call, x, kernel));
  if (window.dilations != std::vector<std::int64_t>{1, 1}) {
    return call.Unimplemented("a pool with dilations");
  }
  return window;
}

absl::StatusOr<Operand> Pool(NodeCall& call, const std::string& op, ValueId image,
                             const ImageWindow& window, const Activation& x) {
  Attributes attributes = window.attributes();
  attributes["pool_size"] = window.kernel;
  ASSIGN_OR_RETURN(const ValueId id, call.Emit(op, {image}, std::move(attributes)));
  return FromImage(call, id, x);
}

// Bytes without a quantization, which a maximum does not need: the graph's operator wants one.
bool IsPlainBytes(const NodeCall& call, const Activation& x) {
  return (x.type == DataType::kInt8 || x.type == DataType::kUint8) &&
         !call.graph().TypeOf(NodeCall::AnyForm(x).second).quantization.has_value();
}

Outputs TranslateMaxPool(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(auto x, call.ActivationOf(0));
  const DataType type = x->type;
  const bool is_plain = IsPlainBytes(call, *x);
  if (is_plain) {
    ASSIGN_OR_RETURN(x, IntegersOf(call, *x, {.type = type}));
  }
  call.Ignore("storage_order");  // of the indices
  if (call.Wants(1)) return call.Unimplemented("its indices are used");
  ASSIGN_OR_RETURN(const ImageWindow window, PoolWindowOf(call, *x));
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, *x));
  ASSIGN_OR_RETURN(Operand result, Pool(call, "MaxPool2d", image, window, *x));
  if (is_plain) {
    ASSIGN_OR_RETURN(
        result, FromIntegers(call, std::get<std::shared_ptr<Activation>>(result.content), type));
  }
  return Single(std::move(result));
}

Outputs TranslateAveragePool(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::int64_t counts_pads, call.Int("count_include_pad", 0));
  ASSIGN_OR_RETURN(ImageWindow window, PoolWindowOf(call, *x));
  ASSIGN_OR_RETURN(ValueId image, ImageOf(call, *x));
  if (counts_pads != 0 && window.padding == "same") {
    return call.Unimplemented("count_include_pad with auto_pad");
  }
  if (counts_pads != 0 && window.padding == "explicit") {
    // Zeros that count are pixels; what ceil_mode added behind does not count.
    ASSIGN_OR_RETURN(const auto given, call.Ints("pads", {0, 0, 0, 0}));
    const std::size_t spatial_rank = given.size() / 2;
    std::vector<std::int64_t> pads(8, 0);
    for (std::size_t axis = 0; axis < spatial_rank && axis < 2; ++axis) {
      pads[1 + axis] = given[axis];
      pads[5 + axis] = given[axis + spatial_rank];
      window.pads[axis] = 0;
      window.pads[axis + 2] -= given[axis + spatial_rank];
    }
    if (std::any_of(pads.begin(), pads.end(), [](auto pad) { return pad != 0; })) {
      ASSIGN_OR_RETURN(image, call.Emit("Pad", {image}, {{"pads", pads}}, "pad"));
    }
  }
  ASSIGN_OR_RETURN(Operand result, Pool(call, "AveragePool2d", image, window, *x));
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
