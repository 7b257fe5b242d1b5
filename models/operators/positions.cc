// SPDX-License-Identifier: Apache-2.0

#include "models/operators/positions.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

absl::StatusOr<std::int64_t> Limit(const Node& node) {
  ASSIGN_OR_RETURN(const std::int64_t limit, node.Int("limit", 0));
  if (limit >= 0) return limit;
  return InvalidNode(node, "attribute \"limit\" is ", limit, ", wants 0 or more");
}

// Refuses a longer axis than `limit`, where that is not 0.
class PositionsStep final : public Step {
 public:
  PositionsStep(std::size_t axis, std::int64_t limit) : axis_(axis), limit_(limit) {}

  [[nodiscard]] absl::Status CheckInputs(std::span<const TensorView> inputs) const override {
    const std::int64_t length = inputs[0].dims[axis_];
    if (limit_ == 0 || length <= limit_) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("axis ", axis_, " has size ", length, ", wants at most ", limit_));
  }

  void Run(const StepArguments& arguments) const override {
    const MutableTensorView& out = arguments.outputs[0];
    const std::int64_t length = out.dims.back();
    const std::int64_t size = NumElements(out.dims);
    for (std::int64_t i = 0; i < size; ++i) {
      out.as<std::int32_t>()[i] = static_cast<std::int32_t>(i % length);
    }
  }

  [[nodiscard]] std::string kernel_name() const override { return "portable:positions"; }

 private:
  const std::size_t axis_;
  const std::int64_t limit_;
};

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
    RETURN_IF_ERROR(Limit(node).status());
    const Shape& x = types[0].shape;
    return OneOutput(
        node, {DataType::kInt32,
               Shape(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(axis) + 1), std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const std::size_t axis,
                     AxisAttribute(context.node, "axis", context.inputs[0].shape.size(), 1));
    ASSIGN_OR_RETURN(const std::int64_t limit, Limit(context.node));
    return std::make_unique<const PositionsStep>(axis, limit);
  }
};

}  // namespace

std::unique_ptr<const Operator> MakePositions() { return std::make_unique<const Positions>(); }

}  // namespace octet
