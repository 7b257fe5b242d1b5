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
  bool is_tflite = false;
  bool has_vectors = false;  // each run along the last axis is a row
};

absl::StatusOr<Form> FormAttributes(const Node& node) {
  Form form;
  ASSIGN_OR_RETURN(const std::string formula,
                   NameAttribute(node, "formula", "onnx", {"onnx", "tflite"}));
  form.is_tflite = formula == "tflite";
  ASSIGN_OR_RETURN(const std::string rows,
                   NameAttribute(node, "rows", "batch", {"batch", "vectors"}));
  form.has_vectors = rows == "vectors";
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
      const RowRange range = form.is_tflite ? TfliteRangeOf(values) : RangeOf(values);
      if (form.is_tflite) {
        TfliteQuantize(range, values, {arguments.outputs[0].as<std::uint8_t>() + row * size, size});
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
