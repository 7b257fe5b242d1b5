// SPDX-License-Identifier: Apache-2.0

#include "models/operators/top_k.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

// Before which of two elements another comes: the better one first, NaN last, and of equal ones the
// one that was first.
class Better {
 public:
  Better(const float* row, bool wants_least) : row_(row), wants_least_(wants_least) {}

  bool operator()(std::int32_t a, std::int32_t b) const {
    const float left = row_[a];
    const float right = row_[b];
    const bool left_is_number = left == left;
    const bool right_is_number = right == right;
    if (left_is_number != right_is_number) return left_is_number;
    if (left_is_number && left != right) return wants_least_ ? left < right : left > right;
    return a < b;
  }

 private:
  const float* row_;
  bool wants_least_;
};

void Run(std::int64_t k, bool wants_least, const StepArguments& arguments) {
  const TensorView& x = arguments.inputs[0];
  const std::int64_t length = x.dims.back();
  const std::int64_t rows = length == 0 ? 0 : NumElements(x.dims) / length;
  ScratchLayout layout(arguments.scratch);
  const std::span<std::int32_t> order = layout.Take<std::int32_t>(static_cast<std::size_t>(length));
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const values = x.as<float>() + row * length;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), Better(values, wants_least));
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int32_t at = order[static_cast<std::size_t>(i)];
      arguments.outputs[0].as<float>()[row * k + i] = values[at];
      arguments.outputs[1].as<std::int64_t>()[row * k + i] = at;
    }
  }
}

class TopK final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "TopK"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1, 2, 2));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    ASSIGN_OR_RETURN(const std::int64_t k, IntAttribute(node, "k", 1, 1));
    RETURN_IF_ERROR(FlagAttribute(node, "least", false).status());
    Shape shape = types[0].shape;
    if (!shape.back().is_constant() || shape.back().value() < k) {
      return InvalidNode(node, "input \"x\" has shape ", ToString(shape, {}),
                         ", wants a last dimension of at least ", k);
    }
    shape.back() = Dim(k);
    RETURN_IF_ERROR(CheckShape(node, shape));
    return std::vector<TensorType>{{DataType::kFloat32, shape, std::nullopt},
                                   {DataType::kInt64, shape, std::nullopt}};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const std::int64_t k, IntAttribute(context.node, "k", 1, 1));
    ASSIGN_OR_RETURN(const bool wants_least, FlagAttribute(context.node, "least", false));
    return MakeStepWithScratch(
        "portable:top_k",
        [k, wants_least](const StepArguments& arguments) { Run(k, wants_least, arguments); },
        [](std::span<const TensorView> inputs) {
          ScratchLayout layout;
          layout.Take<std::int32_t>(static_cast<std::size_t>(inputs[0].dims.back()));
          return layout.byte_size();
        });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeTopK() { return std::make_unique<const TopK>(); }

}  // namespace octet
