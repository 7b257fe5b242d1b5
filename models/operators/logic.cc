// SPDX-License-Identifier: Apache-2.0

#include "models/operators/logic.h"

#include <cstdint>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

enum class LogicKind { kAnd, kOr };

class BinaryLogic final : public Operator {
 public:
  explicit BinaryLogic(LogicKind kind) : kind_(kind) {}

  [[nodiscard]] absl::string_view name() const override {
    return kind_ == LogicKind::kAnd ? "And" : "Or";
  }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, 2));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "a", {DataType::kBool}));
    RETURN_IF_ERROR(inputs.CheckDataType(1, "b", {DataType::kBool}));
    ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(node, inputs.shape(0), inputs.shape(1)));
    return OneOutput(node, {DataType::kBool, std::move(shape), std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return MakeStep("portable:logic", [kind = kind_](const StepArguments& arguments) {
      const MutableTensorView& out = arguments.outputs[0];
      ForEachBroadcastRun<2>(
          out.dims, {arguments.inputs[0].dims, arguments.inputs[1].dims},
          [&](std::int64_t at, const std::array<std::int64_t, 2>& offsets,
              const std::array<std::int64_t, 2>& steps, std::int64_t count) {
            const auto* a = arguments.inputs[0].as<std::uint8_t>() + offsets[0];
            const auto* b = arguments.inputs[1].as<std::uint8_t>() + offsets[1];
            auto* result = out.as<std::uint8_t>() + at;
            for (std::int64_t i = 0; i < count; ++i) {
              // A client's boolean may be any byte.
              const bool left = a[i * steps[0]] != 0;
              const bool right = b[i * steps[1]] != 0;
              result[i] = (kind == LogicKind::kAnd ? left && right : left || right) ? 1 : 0;
            }
          });
    });
  }

 private:
  const LogicKind kind_;
};

class Not final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Not"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kBool}));
    return OneOutput(node, types[0]);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return MakeStep("portable:logic", [](const StepArguments& arguments) {
      const std::int64_t size = NumElements(arguments.inputs[0].dims);
      const auto* x = arguments.inputs[0].as<std::uint8_t>();
      auto* out = arguments.outputs[0].as<std::uint8_t>();
      for (std::int64_t i = 0; i < size; ++i) out[i] = x[i] == 0 ? 1 : 0;
    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeAnd() {
  return std::make_unique<const BinaryLogic>(LogicKind::kAnd);
}
std::unique_ptr<const Operator> MakeNot() { return std::make_unique<const Not>(); }
std::unique_ptr<const Operator> MakeOr() {
  return std::make_unique<const BinaryLogic>(LogicKind::kOr);
}

}  // namespace octet
