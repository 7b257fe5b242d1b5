// SPDX-License-Identifier: Apache-2.0

#include "models/operators/elementwise_function.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/tensor/reduced_float.h"

namespace octet {
namespace {

using Function = double (*)(double);

struct NamedFunction {
  absl::string_view name;
  Function function;
};

double Sign(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x; }

// In double, rounded once: the same on every machine to the last bit but one of the library's.
constexpr std::array kFunctions = {
    NamedFunction{"acos", [](double x) { return std::acos(x); }},
    NamedFunction{"acosh", [](double x) { return std::acosh(x); }},
    NamedFunction{"asin", [](double x) { return std::asin(x); }},
    NamedFunction{"asinh", [](double x) { return std::asinh(x); }},
    NamedFunction{"atan", [](double x) { return std::atan(x); }},
    NamedFunction{"atanh", [](double x) { return std::atanh(x); }},
    NamedFunction{"ceil", [](double x) { return std::ceil(x); }},
    NamedFunction{"cos", [](double x) { return std::cos(x); }},
    NamedFunction{"cosh", [](double x) { return std::cosh(x); }},
    NamedFunction{"erf", [](double x) { return std::erf(x); }},
    NamedFunction{"floor", [](double x) { return std::floor(x); }},
    NamedFunction{"round", [](double x) { return std::nearbyint(x); }},
    NamedFunction{"sign", Sign},
    NamedFunction{"sin", [](double x) { return std::sin(x); }},
    NamedFunction{"sinh", [](double x) { return std::sinh(x); }},
    NamedFunction{"tan", [](double x) { return std::tan(x); }},
    NamedFunction{"to_bfloat16", [](double x) { return RoundedTo(kBfloat16Form, x); }},
    NamedFunction{"to_float16", [](double x) { return RoundedTo(kFloat16Form, x); }},
};

absl::StatusOr<Function> FunctionAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const std::string name, node.String("function", ""));
  for (const NamedFunction& entry : kFunctions) {
    if (entry.name == name) return entry.function;
  }
  return InvalidNode(node, "attribute \"function\" is \"", name, "\", wants one of ",
                     absl::StrJoin(kFunctions, ", ", [](std::string* out, const auto& entry) {
                       out->append(entry.name.data(), entry.name.size());
                     }));
}

class ElementwiseFunction final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "ElementwiseFunction"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    RETURN_IF_ERROR(FunctionAttribute(node).status());
    return OneOutput(node, types[0]);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const Function function, FunctionAttribute(context.node));
    return MakeStep("portable:elementwise_function", [function](const StepArguments& arguments) {
      const std::int64_t size = NumElements(arguments.inputs[0].dims);
      const float* x = arguments.inputs[0].as<float>();
      std::transform(x, x + size, arguments.outputs[0].as<float>(), [function](float value) {
        return static_cast<float>(function(static_cast<double>(value)));
      });
    });
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeElementwiseFunction() {
  return std::make_unique<const ElementwiseFunction>();
}

}  // namespace octet
