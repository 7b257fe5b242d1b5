// SPDX-License-Identifier: Apache-2.0

#include "models/operators/positions.h"

#include <cstddef>
#include <cstdint>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

class Positions final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Positions"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
    ASSIGN_OR_RETURN(const std::size_t axis, AxisAttribute(node, "axis", inputs.rank(0), 1));
    const Shape& x = types[0].shape;
    return OneOutput(
        node, {DataType::kInt32,
               Shape(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(axis) + 1), std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return MakeStep("portable:positions", [](const StepArguments& arguments) {
      const MutableTensorView& out = arguments.outputs[0];
      const std::int64_t length = out.dims.back();
      const std::int64_t size = NumElements(out.dims);
      for (std::int64_t i = 0; i < size; ++i) {
        out.as<std::int32_t>()[i] = static_cast<std::int32_t>(i % length);
      }
    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakePositions() { return std::make_unique<const Positions>(); }

}  // namespace octet
