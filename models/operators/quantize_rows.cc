// SPDX-License-Identifier: Apache-2.0

#include "models/operators/quantize_rows.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"

namespace octet {
namespace {

class QuantizeRows final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "QuantizeRows"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1, 2, 2));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 1));
    if (!types[0].shape.back().is_constant() || types[0].shape.back().value() < 1) {
      return InvalidNode(node, "input \"x\" has shape ", ToString(types[0].shape, {}),
                         ", wants a last dimension of at least 1");
    }
    RETURN_IF_ERROR(DynamicAttributes(node).status());
    Shape scale = types[0].shape;
    scale.back() = Dim(1);
    return std::vector<TensorType>{{DataType::kInt8, types[0].shape, std::nullopt},
                                   {DataType::kFloat32, std::move(scale), std::nullopt}};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(kernels::RowQuantizeSpec spec, DynamicAttributes(context.node));
    spec.row_size = static_cast<std::size_t>(context.inputs[0].shape.back().value());
    const kernels::KernelSet& kernels = context.kernels;
    return MakeStep(absl::StrCat(std::string(kernels.name), ":quantize_rows_s8"),
                    [spec, &kernels](const StepArguments& arguments) {
                      kernels::RowQuantizeSpec rows = spec;
                      const auto size =
                          static_cast<std::size_t>(NumElements(arguments.inputs[0].dims));
                      rows.num_rows = size / rows.row_size;
                      kernels.quantize_rows_s8(rows, {arguments.inputs[0].as<float>(), size},
                                               {arguments.outputs[0].as<std::int8_t>(), size},
                                               {arguments.outputs[1].as<float>(), rows.num_rows});
                    });
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeQuantizeRows() {
  return std::make_unique<const QuantizeRows>();
}

}  // namespace octet
