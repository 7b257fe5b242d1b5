// SPDX-License-Identifier: Apache-2.0

#include "models/operators/reinterpret.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

class Reinterpret final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Reinterpret"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kInt8}));
    std::optional<TensorQuantization> quantization;
    if (node.attributes.contains("scale") || node.attributes.contains("zero_point")) {
      ASSIGN_OR_RETURN(quantization, QuantizationAttributes(node, ""));
    }
    return OneOutput(node, {DataType::kInt8, types[0].shape, quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return MakeStep("portable:reinterpret", [](const StepArguments& arguments) {
      const auto size = static_cast<std::size_t>(NumElements(arguments.inputs[0].dims));
      const auto* const from = arguments.inputs[0].as<std::int8_t>();
      auto* const to = arguments.outputs[0].as<std::int8_t>();
      if (from != to) std::copy_n(from, size, to);
    });
  }

  [[nodiscard]] bool IsReinterpretation() const override { return true; }
  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeReinterpret() { return std::make_unique<const Reinterpret>(); }

}  // namespace octet
