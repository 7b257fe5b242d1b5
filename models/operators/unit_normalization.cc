// SPDX-License-Identifier: Apache-2.0

#include "models/operators/unit_normalization.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

constexpr float kSmallestNorm = 1e-12F;

class UnitNormalization final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "UnitNormalization"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    RETURN_IF_ERROR(AxisAttribute(node, "axis", inputs.rank(0), 1).status());
    return OneOutput(node, types[0]);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const std::size_t axis,
                     AxisAttribute(context.node, "axis", context.inputs[0].shape.size(), 1));
    return MakeStep("portable:unit_normalization", [axis](const StepArguments& arguments) {
      const auto dims = arguments.inputs[0].dims;
      const std::int64_t outer = NumElements(dims.first(axis));
      const std::int64_t inner = NumElements(dims.subspan(axis + 1));
      const std::int64_t length = dims[axis];
      for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t i = 0; i < inner; ++i) {
          const float* x = arguments.inputs[0].as<float>() + o * length * inner + i;
          float* out = arguments.outputs[0].as<float>() + o * length * inner + i;
          double squares = 0.0;
          for (std::int64_t k = 0; k < length; ++k) {
            const auto value = static_cast<double>(x[k * inner]);
            squares += value * value;
          }
          const float norm = std::max(static_cast<float>(std::sqrt(squares)), kSmallestNorm);
          for (std::int64_t k = 0; k < length; ++k) out[k * inner] = x[k * inner] / norm;
        }
      }
    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeUnitNormalization() {
  return std::make_unique<const UnitNormalization>();
}

}  // namespace octet
