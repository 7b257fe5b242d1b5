// SPDX-License-Identifier: Apache-2.0
// Resize and Upsample: over the axes of space, from sizes that are known to others.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"
#include "models/importers/onnx/image.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// Far beyond any image.
constexpr std::int64_t kMaxSize = 1 << 20;

// One axis of the tensor.
struct Axis {
  double factor = 1;                 // by which it is to grow
  std::optional<std::int64_t> size;  // that it is to have, where sizes are given
  double start = 0;                  // what is taken of it: 0 to 1 is all
  double end = 1;
};

struct ResizeOptions {
  std::string mode;
  std::string coordinates;
  std::string rounding;
  std::string policy = "stretch";
  bool antialias = false;
  bool exclude_outside = false;
  float cubic_coefficient = -0.75F;
  float outside_value = 0;

  [[nodiscard]] bool crops() const { return coordinates == "tf_crop_and_resize"; }
};

// What the graph's node is told, of height and width each.
struct ResizePlan {
  std::vector<std::int64_t> size;
  std::vector<double> factors;
  std::vector<double> starts;
  std::vector<double> ends;
  bool is_exact = true;  // the factors are those of the sizes
  bool is_whole = true;  // and whole numbers
  bool has_one = false;  // an axis of the tensor becomes one pixel
};

// As constants they are; an input that is there may hold none.
absl::StatusOr<std::vector<double>> OptionalFloats(NodeCall& call, std::size_t index,
                                                   absl::string_view what) {
  if (!call.Has(index)) return std::vector<double>();
  ASSIGN_OR_RETURN(const ConstantTensor constant, call.FloatConstant(index, what));
  std::vector<double> values = DoubleElements(constant);
  for (const double value : values) {
    if (!std::isfinite(value)) return call.Invalid(absl::StrCat("its ", what, " hold ", value));
  }
  return values;
}

absl::Status CheckCount(const NodeCall& call, absl::string_view what, std::size_t got,
                        std::size_t wanted) {
  if (got == wanted) return absl::OkStatus();
  return call.Invalid(absl::StrCat("has ", got, " ", what, ", wants ", wanted));
}

// All axes keep their proportions: `axes` get the one factor that fits into, or fills, the sizes.
void KeepProportions(const ResizeOptions& options, const Activation& x,
                     const std::vector<std::size_t>& axes, std::vector<Axis>& all) {
  double factor = all[axes[0]].factor;
  for (const std::size_t axis : axes) {
    factor = options.policy == "not_larger" ? std::min(factor, all[axis].factor)
                                            : std::max(factor, all[axis].factor);
  }
  for (const std::size_t axis : axes) {
    all[axis].factor = factor;
    if (axis < 2) continue;  // those of space are known
    all[axis].size = static_cast<std::int64_t>(
        std::floor(factor * static_cast<double>(x.shape[axis].value()) + 0.5));
  }
}

absl::Status CheckSpace(const NodeCall& call, const Activation& x) {
  if (x.shape.size() != 4 && x.shape.size() != 3) return call.Unimplemented("wants images");
  for (std::size_t axis = 2; axis < x.shape.size(); ++axis) {
    if (!x.shape[axis].is_constant()) return call.Unimplemented("images of an open size");
    if (x.shape[axis].value() < 1) return call.Invalid("an image without a pixel");
  }
  return absl::OkStatus();
}

absl::Status ReadSizes(NodeCall& call, const Activation& x, const std::vector<std::size_t>& axes,
                       const std::vector<Dim>& sizes, std::vector<Axis>& all) {
  RETURN_IF_ERROR(CheckCount(call, "sizes", sizes.size(), axes.size()));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = axes[i];
    const Dim& dim = x.shape[axis];
    if (axis < 2) {
      if (call.FirstSize(axis == 0 ? x.shape : Shape(), sizes[i]) != dim) {
        return call.Unimplemented("resizes the batch or the channels");
      }
      continue;
    }
    if (!sizes[i].is_constant()) return call.Unimplemented("images of an open size");
    const std::int64_t size = sizes[i].value();
    if (size < 1 || size > kMaxSize) {
      return call.Unimplemented(absl::StrCat("a size of ", size, ", wants 1 to ", kMaxSize));
    }
    all[axis].size = size;
    all[axis].factor = static_cast<double>(size) / static_cast<double>(dim.value());
  }
  return absl::OkStatus();
}

// Which axes the scales, or sizes, are of: all where the node does not say.
absl::StatusOr<std::vector<std::size_t>> AxesInOrder(NodeCall& call, std::size_t rank) {
  ASSIGN_OR_RETURN(const auto listed, call.Ints("axes"));
  RETURN_IF_ERROR(call.Axes(listed, rank).status());
  std::vector<std::size_t> axes;
  for (const std::int64_t axis : listed) {
    ASSIGN_OR_RETURN(const std::size_t at, call.Axis(axis, rank));
    axes.push_back(at);
  }
  for (std::size_t axis = 0; axis < rank && listed.empty(); ++axis) axes.push_back(axis);
  return axes;
}

// Every axis of `x`, as inputs `scales` and the two around it say.
absl::StatusOr<std::vector<Axis>> ReadAxes(NodeCall& call, const Activation& x,
                                           const ResizeOptions& options, std::size_t scales_at) {
  RETURN_IF_ERROR(CheckSpace(call, x));
  ASSIGN_OR_RETURN(const std::vector<std::size_t> axes, AxesInOrder(call, x.shape.size()));
  std::vector<Axis> all(x.shape.size());
  ASSIGN_OR_RETURN(const auto scales, OptionalFloats(call, scales_at, "scales"));
  if (!scales.empty()) {
    RETURN_IF_ERROR(CheckCount(call, "scales", scales.size(), axes.size()));
    for (std::size_t i = 0; i < axes.size(); ++i) all[axes[i]].factor = scales[i];
  } else if (call.Has(scales_at + 1)) {
    ASSIGN_OR_RETURN(const auto sizes, call.SizesOf(scales_at + 1, "sizes"));
    RETURN_IF_ERROR(ReadSizes(call, x, axes, sizes, all));
    if (options.policy != "stretch") KeepProportions(options, x, axes, all);
  } else {
    return call.Invalid("has neither scales nor sizes");
  }
  if (!options.crops()) return all;
  ASSIGN_OR_RETURN(const auto region, OptionalFloats(call, scales_at - 1, "region"));
  RETURN_IF_ERROR(CheckCount(call, "numbers in its region", region.size(), 2 * axes.size()));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    all[axes[i]].start = region[i];
    all[axes[i]].end = region[i + axes.size()];
  }
  return all;
}

absl::StatusOr<ResizePlan> PlanResize(const NodeCall& call, const Activation& x,
                                      const std::vector<Axis>& axes) {
  ResizePlan plan;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Axis& axis = axes[i];
    if (i < 2) {
      if (axis.factor != 1 || axis.start != 0 || axis.end != 1) {
        return call.Unimplemented("resizes the batch or the channels");
      }
      continue;
    }
    const auto in = static_cast<double>(x.shape[i].value());
    // As ONNX infers it: of floats, whose product is often a whole number where the scale is none.
    const double out = axis.size
                           ? static_cast<double>(*axis.size)
                           : std::floor(static_cast<float>(in) * static_cast<float>(axis.factor));
    if (!(out >= 1.0) || !(out <= static_cast<double>(kMaxSize))) {
      return call.Unimplemented(absl::StrCat("a size of ", x.shape[i].value(), " becomes ", out,
                                             ", wants 1 to ", kMaxSize));
    }
    plan.is_exact = plan.is_exact && (axis.factor == out / in || axis.factor * in == out);
    plan.is_whole = plan.is_whole && std::fmod(out, in) == 0.0;
    plan.has_one = plan.has_one || out == 1.0;
    plan.size.push_back(static_cast<std::int64_t>(out));
    plan.factors.push_back(axis.factor);
    plan.starts.push_back(axis.start);
    plan.ends.push_back(axis.end);
  }
  if (plan.size.size() == 1) {
    plan.size.push_back(1);
    plan.factors.push_back(1);
    plan.starts.push_back(0);
    plan.ends.push_back(1);
  }
  return plan;
}

// Whether the graph's nearest, or bilinear, interpolation is what is asked for.
bool IsPlain(const ResizeOptions& options, const ResizePlan& plan) {
  if (!plan.is_exact || options.antialias) return false;
  const bool is_pytorch = options.coordinates == "pytorch_half_pixel";
  const bool is_half = options.coordinates == "half_pixel" || is_pytorch;
  if (options.mode == "nearest") {
    const bool rounds = options.rounding != "floor" && options.rounding != "ceil";
    return plan.is_whole && ((is_half && rounds) ||
                             (options.coordinates == "asymmetric" && options.rounding == "floor"));
  }
  return options.mode == "linear" && is_half && !(is_pytorch && plan.has_one);
}

Attributes AttributesOf(const ResizeOptions& options, const ResizePlan& plan) {
  Attributes attributes = {{"size", plan.size},
                           {"interpolation", options.mode == "cubic"    ? "bicubic"
                                             : options.mode == "linear" ? "bilinear"
                                                                        : "nearest"}};
  if (IsPlain(options, plan)) return attributes;
  attributes["coordinates"] = options.coordinates;
  if (!plan.is_exact) attributes["factors"] = plan.factors;
  if (options.mode == "nearest") attributes["rounding"] = options.rounding;
  if (options.mode == "cubic") {
    attributes["cubic_coefficient"] = static_cast<double>(options.cubic_coefficient);
  }
  if (options.exclude_outside) attributes["exclude_outside"] = std::int64_t{1};
  if (options.antialias) attributes["antialias"] = std::int64_t{1};
  if (options.crops()) {
    attributes["region"] =
        std::vector<double>{plan.starts[0], plan.starts[1], plan.ends[0], plan.ends[1]};
    attributes["outside_value"] = static_cast<double>(options.outside_value);
  }
  return attributes;
}

Outputs Resized(NodeCall& call, Activation& x, const std::vector<Axis>& axes,
                const ResizeOptions& options) {
  RETURN_IF_ERROR(SpatialRank(call, x).status());
  ASSIGN_OR_RETURN(const ResizePlan plan, PlanResize(call, x, axes));
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, x));
  ASSIGN_OR_RETURN(const ValueId id, call.Emit("Resize2d", {image}, AttributesOf(options, plan)));
  ASSIGN_OR_RETURN(Operand result, FromImage(call, id, x));
  return Single(std::move(result));
}

// One of `names`.
absl::StatusOr<std::string> Choice(NodeCall& call, absl::string_view key,
                                   absl::string_view fallback,
                                   std::initializer_list<absl::string_view> names) {
  ASSIGN_OR_RETURN(std::string value, call.String(key, fallback));
  if (std::find(names.begin(), names.end(), value) != names.end()) return value;
  return call.Invalid(
      absl::StrCat("its ", key, " is \"", value, "\", wants one of ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<ResizeOptions> ReadOptions(NodeCall& call) {
  const bool is_old = call.opset() < 11;
  ResizeOptions options;
  ASSIGN_OR_RETURN(options.mode, Choice(call, "mode", "nearest", {"nearest", "linear", "cubic"}));
  ASSIGN_OR_RETURN(
      options.coordinates,
      Choice(call, "coordinate_transformation_mode", is_old ? "asymmetric" : "half_pixel",
             {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
              "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"}));
  ASSIGN_OR_RETURN(options.rounding,
                   Choice(call, "nearest_mode", is_old ? "floor" : "round_prefer_floor",
                          {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  ASSIGN_OR_RETURN(options.policy, Choice(call, "keep_aspect_ratio_policy", "stretch",
                                          {"stretch", "not_larger", "not_smaller"}));
  ASSIGN_OR_RETURN(const std::int64_t antialias, call.Int("antialias", 0));
  ASSIGN_OR_RETURN(const std::int64_t exclude_outside, call.Int("exclude_outside", 0));
  ASSIGN_OR_RETURN(options.cubic_coefficient, call.Float("cubic_coeff_a", -0.75F));
  ASSIGN_OR_RETURN(options.outside_value, call.Float("extrapolation_value", 0));
  options.antialias = antialias != 0;
  options.exclude_outside = exclude_outside != 0;
  if (options.antialias && options.mode == "nearest") {
    return call.Invalid("antialias with mode \"nearest\"");
  }
  return options;
}

// Before opset 11 a smaller image is made of the pixels behind, a larger one of those in front.
absl::Status SetOldRounding(const NodeCall& call, const std::vector<Axis>& axes,
                            ResizeOptions& options) {
  const auto shrinks = [](const Axis& axis) { return axis.factor < 1; };
  const auto grows = [](const Axis& axis) { return axis.factor > 1; };
  if (std::none_of(axes.begin(), axes.end(), shrinks)) return absl::OkStatus();
  if (std::any_of(axes.begin(), axes.end(), grows) && options.mode == "nearest") {
    return call.Unimplemented("mode \"nearest\" to more of one axis and less of another");
  }
  options.rounding = "ceil";
  return absl::OkStatus();
}

Outputs TranslateResize(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 4));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(ResizeOptions options, ReadOptions(call));
  ASSIGN_OR_RETURN(const std::vector<Axis> axes,
                   ReadAxes(call, *x, options, call.opset() < 11 ? 1 : 2));
  if (call.opset() < 11) RETURN_IF_ERROR(SetOldRounding(call, axes, options));
  return Resized(call, *x, axes, options);
}

// Resize of opset 10, with the scales in an attribute before opset 9.
Outputs TranslateUpsample(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  RETURN_IF_ERROR(CheckSpace(call, *x));
  ASSIGN_OR_RETURN(std::vector<double> scales, OptionalFloats(call, 1, "scales"));
  if (scales.empty()) {
    ASSIGN_OR_RETURN(const auto given, call.Floats("scales"));
    scales.assign(given.begin(), given.end());
  }
  RETURN_IF_ERROR(CheckCount(call, "scales", scales.size(), x->shape.size()));
  ResizeOptions options;
  options.coordinates = "asymmetric";
  options.rounding = "floor";
  ASSIGN_OR_RETURN(options.mode, Choice(call, "mode", "nearest", {"nearest", "linear"}));
  std::vector<Axis> axes(scales.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (scales[i] < 1)
      return call.Invalid(absl::StrCat("a scale of ", scales[i], ", wants 1 or more"));
    axes[i].factor = scales[i];
  }
  return Resized(call, *x, axes, options);
}

constexpr std::array kOperators = {
    OperatorEntry{"Resize", TranslateResize},
    OperatorEntry{"Upsample", TranslateUpsample},
};

}  // namespace

std::span<const OperatorEntry> ResizeOperators() { return kOperators; }

}  // namespace octet::onnx
