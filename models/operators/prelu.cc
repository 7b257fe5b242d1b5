// SPDX-License-Identifier: Apache-2.0

#include "models/operators/prelu.h"

#include <array>
#include <cstdint>

#include "models/base/status_macros.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

class PRelu final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "PRelu"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, 2));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    RETURN_IF_ERROR(inputs.CheckDataType(1, "alpha", {DataType::kFloat32}));
    RETURN_IF_ERROR(CheckBroadcastsTo(node, "alpha", types[1].shape, types[0].shape));
    return OneOutput(node, types[0]);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return MakeStep("portable:prelu", [](const StepArguments& arguments) {
      const float* x = arguments.inputs[0].as<float>();
      const float* alpha = arguments.inputs[1].as<float>();
      float* out = arguments.outputs[0].as<float>();
      ForEachBroadcastRun<1>(arguments.inputs[0].dims, {arguments.inputs[1].dims},
                             [&](std::int64_t at, const std::array<std::int64_t, 1>& offsets,
                                 const std::array<std::int64_t, 1>& steps, std::int64_t count) {
                               for (std::int64_t i = 0; i < count; ++i) {
                                 const float value = x[at + i];
                                 const float slope = alpha[offsets[0] + i * steps[0]];
                                 out[at + i] = value > 0.0F ? value : slope * value;
                               }
                             });
    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakePRelu() { return std::make_unique<const PRelu>(); }

}  // namespace octet
