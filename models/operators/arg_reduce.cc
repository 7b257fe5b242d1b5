// SPDX-License-Identifier: Apache-2.0

#include "models/operators/arg_reduce.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

struct Form {
  std::size_t axis = 0;
  bool keeps = false;
  bool wants_least = false;
  bool takes_last = false;  // of several equal ones
};

absl::StatusOr<Form> FormOf(const Node& node, std::size_t rank) {
  Form form;
  ASSIGN_OR_RETURN(form.axis, AxisAttribute(node, "axis", rank, 1));
  ASSIGN_OR_RETURN(form.keeps, FlagAttribute(node, "keep_dims", false));
  ASSIGN_OR_RETURN(form.takes_last, FlagAttribute(node, "select_last", false));
  ASSIGN_OR_RETURN(const std::string kind, NameAttribute(node, "kind", "max", {"max", "min"}));
  form.wants_least = kind == "min";
  return form;
}

// NaN is never better.
template <typename T>
void Run(const Form& form, const StepArguments& arguments) {
  const auto dims = arguments.inputs[0].dims;
  const std::int64_t length = dims[form.axis];
  const std::int64_t inner = NumElements(dims.subspan(form.axis + 1));
  const std::int64_t outer = NumElements(dims.first(form.axis));
  const T* x = arguments.inputs[0].as<T>();
  auto* out = arguments.outputs[0].as<std::int64_t>();
  const auto is_better = [&form](T a, T b) {
    if (form.takes_last && a == b) return true;
    return form.wants_least ? a < b : a > b;
  };
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      const T* const first = x + o * length * inner + i;
      std::int64_t best = 0;
      for (std::int64_t at = 1; at < length; ++at) {
        if (is_better(first[at * inner], first[best * inner])) best = at;
      }
      out[o * inner + i] = best;
    }
  }
}

class ArgReduce final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "ArgReduce"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x",
                                         {DataType::kFloat32, DataType::kInt8, DataType::kUint8,
                                          DataType::kInt32, DataType::kInt64}));
    ASSIGN_OR_RETURN(const Form form, FormOf(node, inputs.rank(0)));
    Shape shape = types[0].shape;
    if (shape[form.axis] == Dim(0)) return InvalidNode(node, "an axis without elements");
    if (form.keeps) {
      shape[form.axis] = Dim(1);
    } else {
      shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(form.axis));
    }
    return OneOutput(node, {DataType::kInt64, std::move(shape), std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const Form form, FormOf(context.node, context.inputs[0].shape.size()));
    const DataType type = context.inputs[0].data_type;
    return MakeStep("portable:arg_reduce", [form, type](const StepArguments& arguments) {
      switch (type) {
        case DataType::kInt8:
          return Run<std::int8_t>(form, arguments);
        case DataType::kUint8:
          return Run<std::uint8_t>(form, arguments);
        case DataType::kInt32:
          return Run<std::int32_t>(form, arguments);
        case DataType::kInt64:
          return Run<std::int64_t>(form, arguments);
        default:
          return Run<float>(form, arguments);
      }
    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeArgReduce() { return std::make_unique<const ArgReduce>(); }

}  // namespace octet
