// SPDX-License-Identifier: Apache-2.0

#include "models/operators/activation.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/operators/fixed_point_tables.h"
#include "models/operators/function_step.h"
#include "models/operators/fused_activation.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"

namespace octet {
namespace {

using kernels::Int8Table;

// What each int8 value becomes, computed in float32.
Int8Table MakeFloatTable(const kernels::KernelSet& kernels, const kernels::Activation& activation,
                         const TensorQuantization& input, const TensorQuantization& output) {
  Int8Table values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(i) - 128);
  }
  std::array<float, 256> real{};
  kernels.dequantize_s8(input.scale, input.zero_point, values, real);
  kernels.activation_f32(activation, real, real);
  Int8Table table;
  kernels.quantize_s8(output.scale, output.zero_point, real, table);
  return table;
}

// The same as the attribute `requantization` says.
absl::StatusOr<Int8Table> MakeTable(const PrepareContext& context,
                                    const kernels::Activation& activation) {
  const TensorQuantization& input = *context.inputs[0].quantization;
  const TensorQuantization& output = *context.outputs[0].quantization;
  ASSIGN_OR_RETURN(const Requantization requantization, RequantizationAttribute(context.node));
  if (const auto rounding = FixedRoundingOf(requantization)) {
    if (const auto table = FixedPointActivationTable(activation, input, output, *rounding)) {
      return *table;
    }
  }
  return MakeFloatTable(context.kernels, activation, input, output);
}

// An int16 one in float32.
kernels::Int16Table MakeFloatTableS16(const kernels::KernelSet& kernels,
                                      const kernels::Activation& activation,
                                      const TensorQuantization& input,
                                      const TensorQuantization& output) {
  kernels::Int16Table table(65536);
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(i) - 32768);
  }
  std::vector<float> real(table.size());
  kernels.dequantize_s16(input.scale, table, real);
  kernels.activation_f32(activation, real, real);
  kernels.quantize_s16(output.scale, real, table);
  return table;
}

absl::StatusOr<kernels::Int16Table> MakeTableS16(const PrepareContext& context,
                                                 const kernels::Activation& activation) {
  const TensorQuantization& input = *context.inputs[0].quantization;
  const TensorQuantization& output = *context.outputs[0].quantization;
  ASSIGN_OR_RETURN(const Requantization requantization, RequantizationAttribute(context.node));
  if (const auto rounding = FixedRoundingOf(requantization)) {
    if (auto table = FixedPointActivationTableS16(activation, input, output, *rounding)) {
      return *std::move(table);
    }
  }
  return MakeFloatTableS16(context.kernels, activation, input, output);
}

class ActivationOperator final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Activation"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(
        inputs.CheckDataType(0, "x", {DataType::kFloat32, DataType::kInt8, DataType::kInt16}));
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(node));
    TensorType output = types[0];
    if (activation.over_rows.has_value()) {
      RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
      RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    }
    if (output.data_type != DataType::kFloat32) {
      RETURN_IF_ERROR(CheckStaticInput(node, inputs, 0));
      ASSIGN_OR_RETURN(output.quantization,
                       QuantizationAttributes(node, "output_", output.data_type));
      RETURN_IF_ERROR(RequantizationAttribute(node).status());
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(context.node));
    const kernels::KernelSet& kernels = context.kernels;
    if (context.inputs[0].data_type == DataType::kInt8) {
      ASSIGN_OR_RETURN(const Int8Table table, MakeTable(context, activation.elementwise));
      return MakeStep(absl::StrCat(std::string(kernels.name), ":lookup_s8"),
                      [&kernels, table](const StepArguments& arguments) {
                        const auto size =
                            static_cast<std::size_t>(NumElements(arguments.inputs[0].dims));
                        kernels.lookup_s8(table, {arguments.inputs[0].as<std::int8_t>(), size},
                                          {arguments.outputs[0].as<std::int8_t>(), size});
                      });
    }
    if (context.inputs[0].data_type == DataType::kInt16) {
      ASSIGN_OR_RETURN(kernels::Int16Table table, MakeTableS16(context, activation.elementwise));
      const std::size_t byte_size = table.size() * sizeof(std::int16_t);
      return MakeStep(
          "portable:lookup_s16",
          [table = std::move(table)](const StepArguments& arguments) {
            const auto size = static_cast<std::size_t>(NumElements(arguments.inputs[0].dims));
            const auto* in = arguments.inputs[0].as<std::int16_t>();
            auto* out = arguments.outputs[0].as<std::int16_t>();
            for (std::size_t i = 0; i < size; ++i) {
              out[i] = table[static_cast<std::size_t>(in[i] + 32768)];
            }
          },
          byte_size);
    }
    return MakeStep(absl::StrCat(std::string(kernels.name), ":activation_f32"),
                    [&kernels, activation](const StepArguments& arguments) {
                      const auto dims = arguments.inputs[0].dims;
                      const auto size = static_cast<std::size_t>(NumElements(dims));
                      const std::span<const float> in(arguments.inputs[0].as<float>(), size);
                      const std::span<float> out(arguments.outputs[0].as<float>(), size);
                      if (activation.over_rows.has_value()) {
                        const auto row_size = static_cast<std::size_t>(dims.back());
                        if (row_size == 0) return;
                        kernels.softmax_f32(*activation.over_rows,
                                            {.num_rows = size / row_size, .row_size = row_size}, in,
                                            out);
                        return;
                      }
                      kernels.activation_f32(activation.elementwise, in, out);
                    });
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeActivation() {
  return std::make_unique<const ActivationOperator>();
}

}  // namespace octet
