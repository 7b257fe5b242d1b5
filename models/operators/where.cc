// SPDX-License-Identifier: Apache-2.0

#include "models/operators/where.h"

#include <cstdint>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

template <typename T>
void Choose(const StepArguments& arguments) {
  const MutableTensorView& out = arguments.outputs[0];
  ForEachBroadcastRun<3>(
      out.dims, {arguments.inputs[0].dims, arguments.inputs[1].dims, arguments.inputs[2].dims},
      [&](std::int64_t at, const std::array<std::int64_t, 3>& offsets,
          const std::array<std::int64_t, 3>& steps, std::int64_t count) {
        const auto* condition = arguments.inputs[0].as<std::uint8_t>() + offsets[0];
        const T* a = arguments.inputs[1].as<T>() + offsets[1];
        const T* b = arguments.inputs[2].as<T>() + offsets[2];
        T* result = out.as<T>() + at;
        for (std::int64_t i = 0; i < count; ++i) {
          result[i] = condition[i * steps[0]] != 0 ? a[i * steps[1]] : b[i * steps[2]];
        }
      });
}

class Where final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Where"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(3, 3));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "condition", {DataType::kBool}));
    RETURN_IF_ERROR(CheckAddressable(node, types[1]));
    RETURN_IF_ERROR(inputs.CheckDataType(2, "b", {types[1].data_type}));
    if (types[1].quantization != types[2].quantization) {
      return InvalidNode(node, "inputs \"a\" and \"b\" differ in quantization");
    }
    ASSIGN_OR_RETURN(const Shape values, BroadcastShapes(node, types[1].shape, types[2].shape));
    ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(node, types[0].shape, values));
    return OneOutput(node, {types[1].data_type, std::move(shape), types[1].quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    return MakeStep("portable:where",
                    [bits = BitWidth(context.inputs[1].data_type)](const StepArguments& arguments) {
                      switch (bits) {
                        case 8:
                          return Choose<std::uint8_t>(arguments);
                        case 16:
                          return Choose<std::uint16_t>(arguments);
                        case 32:
                          return Choose<std::uint32_t>(arguments);
                        default:
                          return Choose<std::uint64_t>(arguments);
                      }
                    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeWhere() { return std::make_unique<const Where>(); }

}  // namespace octet
