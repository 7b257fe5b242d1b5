// SPDX-License-Identifier: Apache-2.0

#include "models/operators/comparison.h"

#include <cstdint>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

enum class ComparisonKind { kEqual, kGreater, kLess, kNotEqual };

template <typename T>
bool Compare(ComparisonKind kind, T a, T b) {
  switch (kind) {
    case ComparisonKind::kEqual:
      return a == b;
    case ComparisonKind::kGreater:
      return a > b;
    case ComparisonKind::kLess:
      return a < b;
    case ComparisonKind::kNotEqual:
      break;
  }
  return a != b;
}

template <typename T>
void CompareAll(ComparisonKind kind, const StepArguments& arguments) {
  const MutableTensorView& out = arguments.outputs[0];
  ForEachBroadcastRun<2>(out.dims, {arguments.inputs[0].dims, arguments.inputs[1].dims},
                         [&](std::int64_t at, const std::array<std::int64_t, 2>& offsets,
                             const std::array<std::int64_t, 2>& steps, std::int64_t count) {
                           const T* a = arguments.inputs[0].as<T>() + offsets[0];
                           const T* b = arguments.inputs[1].as<T>() + offsets[1];
                           std::uint8_t* result = out.as<std::uint8_t>() + at;
                           for (std::int64_t i = 0; i < count; ++i) {
                             result[i] = Compare(kind, a[i * steps[0]], b[i * steps[1]]) ? 1 : 0;
                           }
                         });
}

class Comparison final : public Operator {
 public:
  Comparison(absl::string_view name, ComparisonKind kind) : name_(name), kind_(kind) {}

  [[nodiscard]] absl::string_view name() const override { return name_; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, 2));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "a",
                                         {DataType::kFloat32, DataType::kInt8, DataType::kInt32,
                                          DataType::kInt64, DataType::kUint8, DataType::kBool}));
    for (const TensorType& type : types) {
      if (type.data_type == DataType::kInt8 && type.quantization.has_value()) {
        return UnimplementedNode(node, "INT8 inputs with a quantization");
      }
    }
    RETURN_IF_ERROR(inputs.CheckDataType(1, "b", {types[0].data_type}));
    ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(node, inputs.shape(0), inputs.shape(1)));
    return OneOutput(node, {DataType::kBool, std::move(shape), std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    return MakeStep("portable:compare", [kind = kind_, type = context.inputs[0].data_type](
                                            const StepArguments& arguments) {
      switch (type) {
        case DataType::kFloat32:
          return CompareAll<float>(kind, arguments);
        case DataType::kInt8:
          return CompareAll<std::int8_t>(kind, arguments);
        case DataType::kInt32:
          return CompareAll<std::int32_t>(kind, arguments);
        case DataType::kInt64:
          return CompareAll<std::int64_t>(kind, arguments);
        default:
          return CompareAll<std::uint8_t>(kind, arguments);
      }
    });
  }

 private:
  const absl::string_view name_;
  const ComparisonKind kind_;
};

}  // namespace

std::unique_ptr<const Operator> MakeEqual() {
  return std::make_unique<const Comparison>("Equal", ComparisonKind::kEqual);
}
std::unique_ptr<const Operator> MakeGreater() {
  return std::make_unique<const Comparison>("Greater", ComparisonKind::kGreater);
}
std::unique_ptr<const Operator> MakeLess() {
  return std::make_unique<const Comparison>("Less", ComparisonKind::kLess);
}
std::unique_ptr<const Operator> MakeNotEqual() {
  return std::make_unique<const Comparison>("NotEqual", ComparisonKind::kNotEqual);
}

}  // namespace octet
