// SPDX-License-Identifier: Apache-2.0

#include "models/operators/dynamic_quantize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/row_range.h"

namespace octet {
namespace {

// ONNX's: the range of `row` in 256 steps.
RowRange RangeOf(std::span<const float> row) {
  const auto [least, largest] = BoundsOf(row);
  const float scale = (largest - least) / 255.0F;
  // Nothing but zeros, or numbers too small or too large for a scale.
  if (!(scale > 0.0F) || !std::isfinite(scale)) return {1.0F, 0};
  const float zero_point = std::clamp(0.0F - least / scale, 0.0F, 255.0F);
  return {scale, static_cast<std::int32_t>(std::nearbyint(zero_point))};
}

// How x is cut into rows, and whose formula quantizes them.
struct Form {
  enum class Formula : std::uint8_t { kOnnx, kTflite, kTorch };

  Formula formula = Formula::kOnnx;
  bool has_vectors = false;  // each run along the last axis is a row
  // PyTorch's.
  std::int32_t steps = 255;
  float epsilon = 0.0F;
  bool is_symmetric = false;
};

// PyTorch's, whose least scale is `epsilon`.
RowRange TorchRangeOf(const Form& form, std::span<const float> row) {
  const auto [least, largest] = BoundsOf(row);
  const auto steps = static_cast<float>(form.steps);
  const float scale = std::max(
      form.is_symmetric ? std::max(-least, largest) / (steps / 2.0F) : (largest - least) / steps,
      form.epsilon);
  const std::int32_t middle = (form.steps + 1) / 2;
  if (!(scale > 0.0F) || !std::isfinite(scale) || !std::isfinite(1.0F / scale)) {
    return {1.0F, form.is_symmetric ? middle : 0};
  }
  if (form.is_symmetric) return {scale, middle};
  const float zero_point = std::clamp(0.0F - std::nearbyint(least / scale), 0.0F, steps);
  return {scale, static_cast<std::int32_t>(zero_point)};
}

// round_half_even(x * (1 / scale)) + zero_point.
void TorchQuantize(const Form& form, const RowRange& range, std::span<const float> in,
                   std::span<std::uint8_t> out) {
  const float inverse = 1.0F / range.scale;
  const auto zero_point = static_cast<float>(range.zero_point);
  const auto steps = static_cast<float>(form.steps);
  std::transform(in.begin(), in.end(), out.begin(), [=](float x) {
    const float product = x * inverse;
    if (std::isnan(product)) return static_cast<std::uint8_t>(range.zero_point);
    return static_cast<std::uint8_t>(std::clamp(std::nearbyint(product) + zero_point, 0.0F, steps));
  });
}

absl::StatusOr<Form> FormAttributes(const Node& node) {
  Form form;
  ASSIGN_OR_RETURN(const std::string formula,
                   NameAttribute(node, "formula", "onnx", {"onnx", "tflite", "torch"}));
  if (formula == "tflite") form.formula = Form::Formula::kTflite;
  if (formula == "torch") form.formula = Form::Formula::kTorch;
  ASSIGN_OR_RETURN(const std::string rows,
                   NameAttribute(node, "rows", "batch", {"batch", "vectors"}));
  form.has_vectors = rows == "vectors";
  if (form.formula != Form::Formula::kTorch) return form;
  ASSIGN_OR_RETURN(const std::int64_t steps, IntAttribute(node, "steps", 255, 1));
  ASSIGN_OR_RETURN(form.epsilon, FloatAttribute(node, "epsilon", 0.0));
  ASSIGN_OR_RETURN(const std::int64_t symmetric, IntAttribute(node, "symmetric", 0, 0));
  if (steps > 255 || form.epsilon < 0.0F || symmetric > 1) {
    return InvalidNode(node, "got ", steps, " steps, an epsilon of ", form.epsilon,
                       " and symmetric ", symmetric,
                       ", wants 1 to 255 steps, an epsilon of 0 or more, and 0 or 1");
  }
  form.steps = static_cast<std::int32_t>(steps);
  form.is_symmetric = symmetric == 1;
  return form;
}

class DynamicQuantize final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "DynamicQuantize"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1, 3, 3));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 1));
    RETURN_IF_ERROR(CheckShape(node, types[0].shape));
    ASSIGN_OR_RETURN(const Form form, FormAttributes(node));
    Shape row(types[0].shape.size(), Dim(1));
    row[0] = types[0].shape[0];
    if (form.has_vectors) {
      RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
      row = types[0].shape;
      row.back() = Dim(1);
    }
    return std::vector<TensorType>{{DataType::kUint8, types[0].shape, std::nullopt},
                                   {DataType::kFloat32, row, std::nullopt},
                                   {DataType::kUint8, row, std::nullopt}};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const kernels::KernelSet& kernels = context.kernels;
    ASSIGN_OR_RETURN(const Form form, FormAttributes(context.node));
    return MakeStep(
        absl::StrCat(std::string(kernels.name), ":dynamic_quantize"),
        [&kernels, form](const StepArguments& arguments) { Run(kernels, form, arguments); });
  }

 private:
  static void Run(const kernels::KernelSet& kernels, const Form& form,
                  const StepArguments& arguments) {
    const TensorView& x = arguments.inputs[0];
    const auto rows = static_cast<std::size_t>(NumElements(arguments.outputs[1].dims));
    const auto size =
        static_cast<std::size_t>(form.has_vectors ? x.dims.back() : NumElements(x.dims.subspan(1)));
    for (std::size_t row = 0; row < rows; ++row) {
      const std::span<const float> values(x.as<float>() + row * size, size);
      const RowRange range = form.formula == Form::Formula::kTflite  ? TfliteRangeOf(values)
                             : form.formula == Form::Formula::kTorch ? TorchRangeOf(form, values)
                                                                     : RangeOf(values);
      const std::span<std::uint8_t> bytes(arguments.outputs[0].as<std::uint8_t>() + row * size,
                                          size);
      if (form.formula == Form::Formula::kTflite) {
        TfliteQuantize(range, values, bytes);
      } else if (form.formula == Form::Formula::kTorch) {
        TorchQuantize(form, range, values, bytes);
      } else {
        // The kernel's int8 is uint8 with 128 less.
        const std::span<std::int8_t> out(arguments.outputs[0].as<std::int8_t>() + row * size, size);
        kernels.quantize_s8(kernels::Scale{range.scale}, kernels::ZeroPoint{range.zero_point - 128},
                            values, out);
        for (std::int8_t& value : out) value = static_cast<std::int8_t>(value ^ -128);
      }
      arguments.outputs[1].as<float>()[row] = range.scale;
      arguments.outputs[2].as<std::uint8_t>()[row] = static_cast<std::uint8_t>(range.zero_point);
    }
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeDynamicQuantize() {
  return std::make_unique<const DynamicQuantize>();
}

}  // namespace octet
