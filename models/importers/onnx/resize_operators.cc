// SPDX-License-Identifier: Apache-2.0
// Resize and Upsample: over the axes of space, to sizes that are known.

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/image.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

struct ResizePlan {
  std::vector<std::int64_t> size;  // [height, width]
  bool is_whole = true;            // every scale is a whole number
};

absl::StatusOr<ResizePlan> PlanResize(NodeCall& call, const Activation& x,
                                      const std::vector<double>& scales,
                                      const std::vector<std::int64_t>& sizes) {
  if (x.shape.size() != 4 && x.shape.size() != 3) return call.Unimplemented("wants images");
  ResizePlan plan;
  const std::size_t rank = x.shape.size();
  if ((scales.empty() ? sizes.size() : scales.size()) != rank) {
    return call.Unimplemented("scales or sizes that have not every axis");
  }
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const Dim& dim = x.shape[axis];
    const bool is_space = axis >= 2;
    if (!is_space) {
      const bool stays = scales.empty()
                             ? (Dim(sizes[axis]) == dim ||
                                (axis == 0 && sizes[0] == call.translation().written_rows))
                             : scales[axis] == 1.0;
      if (!stays) return call.Unimplemented("resizes the batch or the channels");
      continue;
    }
    if (!dim.is_constant()) return call.Unimplemented("images of an open size");
    const auto in = static_cast<double>(dim.value());
    const double out = scales.empty() ? static_cast<double>(sizes[axis]) : in * scales[axis];
    if (!(out >= 1.0) || out > 1e6 || out != std::floor(out)) {
      return call.Unimplemented(
          absl::StrCat("a size of ", dim.value(), " becomes ", out, ", wants a whole number"));
    }
    plan.is_whole = plan.is_whole && std::fmod(out, in) == 0.0;
    plan.size.push_back(static_cast<std::int64_t>(out));
  }
  if (rank == 3) plan.size.push_back(1);
  return plan;
}

absl::StatusOr<Operand> Resized(NodeCall& call, Activation& x, const ResizePlan& plan,
                                const std::string& interpolation) {
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, x));
  ASSIGN_OR_RETURN(
      const ValueId id,
      call.Emit("Resize2d", {image}, {{"size", plan.size}, {"interpolation", interpolation}}));
  return FromImage(call, id, x);
}

absl::StatusOr<std::vector<double>> ScalesOf(NodeCall& call, std::size_t index) {
  if (!call.Has(index)) return std::vector<double>();
  ASSIGN_OR_RETURN(const ConstantTensor constant, call.FloatConstant(index, "scales"));
  return DoubleElements(constant);
}

Outputs TranslateResize(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 4));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  const std::size_t at = call.opset() < 11 ? 1 : 2;
  ASSIGN_OR_RETURN(const std::vector<double> scales, ScalesOf(call, at));
  std::vector<std::int64_t> sizes;
  if (call.Has(at + 1) && scales.empty()) {
    ASSIGN_OR_RETURN(sizes, call.Numbers(at + 1, "sizes"));
  }
  ASSIGN_OR_RETURN(const std::string mode, call.String("mode", "nearest"));
  ASSIGN_OR_RETURN(const std::string coordinates,
                   call.String("coordinate_transformation_mode",
                               call.opset() < 11 ? "asymmetric" : "half_pixel"));
  ASSIGN_OR_RETURN(const std::string nearest,
                   call.String("nearest_mode", call.opset() < 11 ? "floor" : "round_prefer_floor"));
  ASSIGN_OR_RETURN(const std::int64_t antialias, call.Int("antialias", 0));
  call.Ignore("cubic_coeff_a");
  call.Ignore("exclude_outside");
  call.Ignore("extrapolation_value");
  ASSIGN_OR_RETURN(const ResizePlan plan, PlanResize(call, *x, scales, sizes));
  const bool is_half = coordinates == "half_pixel" || coordinates == "pytorch_half_pixel";
  if (mode == "nearest" && plan.is_whole &&
      ((is_half && nearest != "floor" && nearest != "ceil") ||
       (coordinates == "asymmetric" && nearest == "floor"))) {
    ASSIGN_OR_RETURN(Operand result, Resized(call, *x, plan, "nearest"));
    return Single(std::move(result));
  }
  const bool has_one =
      std::find(plan.size.begin(), plan.size.end(), 1) != plan.size.end() && x->shape.size() == 4;
  if (mode == "linear" && antialias == 0 &&
      (coordinates == "half_pixel" || (is_half && !has_one))) {
    ASSIGN_OR_RETURN(Operand result, Resized(call, *x, plan, "bilinear"));
    return Single(std::move(result));
  }
  return call.Unimplemented(absl::StrCat("mode \"", mode, "\" with \"", coordinates, "\" and \"",
                                         nearest, "\" from ",
                                         ToString(x->shape, call.graph().graph().symbol_names)));
}

Outputs TranslateUpsample(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(std::vector<double> scales, ScalesOf(call, 1));
  if (scales.empty()) {
    ASSIGN_OR_RETURN(const auto given, call.Floats("scales"));
    scales.assign(given.begin(), given.end());
  }
  ASSIGN_OR_RETURN(const std::string mode, call.String("mode", "nearest"));
  ASSIGN_OR_RETURN(const ResizePlan plan, PlanResize(call, *x, scales, {}));
  if (mode != "nearest" || !plan.is_whole) {
    return call.Unimplemented(absl::StrCat("mode \"", mode, "\", wants nearest by whole numbers"));
  }
  ASSIGN_OR_RETURN(Operand result, Resized(call, *x, plan, "nearest"));
  return Single(std::move(result));
}

constexpr std::array kOperators = {
    OperatorEntry{"Resize", TranslateResize},
    OperatorEntry{"Upsample", TranslateUpsample},
};

}  // namespace

std::span<const OperatorEntry> ResizeOperators() { return kOperators; }

}  // namespace octet::onnx
