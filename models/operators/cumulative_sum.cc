// SPDX-License-Identifier: Apache-2.0

#include "models/operators/cumulative_sum.h"

#include <cstddef>
#include <cstdint>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

struct Form {
  std::size_t axis = 0;
  bool is_exclusive = false;  // without the element itself
  bool is_reverse = false;    // from the end
};

absl::StatusOr<Form> FormOf(const Node& node, std::size_t rank) {
  Form form;
  ASSIGN_OR_RETURN(form.axis, AxisAttribute(node, "axis", rank, 1));
  ASSIGN_OR_RETURN(form.is_exclusive, FlagAttribute(node, "exclusive", false));
  ASSIGN_OR_RETURN(form.is_reverse, FlagAttribute(node, "reverse", false));
  return form;
}

// `Sum` is T, or T without a sign where sums wrap around.
template <typename T, typename Sum>
void Run(const Form& form, const StepArguments& arguments) {
  const auto dims = arguments.inputs[0].dims;
  const std::int64_t length = dims[form.axis];
  const std::int64_t inner = NumElements(dims.subspan(form.axis + 1));
  const std::int64_t outer = NumElements(dims.first(form.axis));
  const T* x = arguments.inputs[0].as<T>();
  T* out = arguments.outputs[0].as<T>();
  const std::int64_t step = form.is_reverse ? -inner : inner;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      std::int64_t at = o * length * inner + i + (form.is_reverse ? (length - 1) * inner : 0);
      Sum sum = 0;
      for (std::int64_t n = 0; n < length; ++n, at += step) {
        const Sum before = sum;
        sum += static_cast<Sum>(x[at]);
        out[at] = static_cast<T>(form.is_exclusive ? before : sum);
      }
    }
  }
}

class CumulativeSum final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "CumulativeSum"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
    RETURN_IF_ERROR(
        inputs.CheckDataType(0, "x", {DataType::kFloat32, DataType::kInt32, DataType::kInt64}));
    RETURN_IF_ERROR(FormOf(node, inputs.rank(0)).status());
    return OneOutput(node, {types[0].data_type, types[0].shape, std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const Form form, FormOf(context.node, context.inputs[0].shape.size()));
    const DataType type = context.inputs[0].data_type;
    return MakeStep("portable:cumulative_sum", [form, type](const StepArguments& arguments) {
      switch (type) {
        case DataType::kInt32:
          return Run<std::int32_t, std::uint32_t>(form, arguments);
        case DataType::kInt64:
          return Run<std::int64_t, std::uint64_t>(form, arguments);
        default:
          return Run<float, float>(form, arguments);
      }
    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeCumulativeSum() {
  return std::make_unique<const CumulativeSum>();
}

}  // namespace octet
