// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fixed_point_softmax.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "kernels/fixed_point_functions.h"
#include "kernels/fixed_point_functions_s16.h"
#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"

namespace octet {
namespace {

// So many values of 1 have a sum within 12 integer bits.
constexpr std::int64_t kLargestRow = 4095;
constexpr std::int64_t kLargestRowS16 = kernels::FixedPointSoftmaxS16::kLargestRow;

template <typename T, typename Softmax>
void RunRows(const Softmax& softmax, const StepArguments& arguments) {
  const auto dims = arguments.inputs[0].dims;
  const auto size = static_cast<std::size_t>(NumElements(dims));
  const auto row = static_cast<std::size_t>(dims.back());
  const auto* in = arguments.inputs[0].as<T>();
  auto* out = arguments.outputs[0].as<T>();
  for (std::size_t first = 0; first < size; first += row) {
    softmax.Run({in + first, row}, {out + first, row});
  }
}

absl::StatusOr<kernels::FixedRounding> RoundingAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const std::string name,
                   NameAttribute(node, "requantization", "fixed", {"fixed", "fixed_single"}));
  return name == "fixed" ? kernels::FixedRounding::kDouble : kernels::FixedRounding::kSingle;
}

class FixedPointSoftmaxOperator final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "FixedPointSoftmax"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(CheckStaticInput(node, inputs, 0));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
    const bool is_int16 = types[0].data_type == DataType::kInt16;
    const std::int64_t largest_row = is_int16 ? kLargestRowS16 : kLargestRow;
    const Dim& row = types[0].shape.back();
    if (!row.is_constant() || row.value() < 1 || row.value() > largest_row) {
      return UnimplementedNode(node, "rows of ",
                               row.is_constant() ? absl::StrCat(row.value()) : "an open number of",
                               " values, wants 1 to ", largest_row);
    }
    RETURN_IF_ERROR(PositiveAttribute(node, "beta", 1.0).status());
    RETURN_IF_ERROR(RoundingAttribute(node).status());
    TensorType output = types[0];
    output.quantization =
        is_int16 ? TensorQuantization{kernels::Scale{1.0F / 32768.0F}, kernels::ZeroPoint{0}}
                 : TensorQuantization{kernels::Scale{1.0F / 256.0F}, kernels::ZeroPoint{-128}};
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const float beta, PositiveAttribute(context.node, "beta", 1.0));
    ASSIGN_OR_RETURN(const kernels::FixedRounding rounding, RoundingAttribute(context.node));
    const kernels::Scale scale = context.inputs[0].quantization->scale;
    if (context.inputs[0].data_type == DataType::kInt16) {
      kernels::FixedPointSoftmaxS16 softmax(scale, beta, rounding);
      const std::size_t byte_size = softmax.ByteSize();
      return MakeStep(
          "portable:softmax_fixed_s16",
          [softmax = std::move(softmax)](const StepArguments& arguments) {
            RunRows<std::int16_t>(softmax, arguments);
          },
          byte_size);
    }
    const kernels::FixedPointSoftmax softmax(scale, beta, rounding);
    return MakeStep("portable:softmax_fixed_s8", [softmax](const StepArguments& arguments) {
      RunRows<std::int8_t>(softmax, arguments);
    });
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeFixedPointSoftmax() {
  return std::make_unique<const FixedPointSoftmaxOperator>();
}

}  // namespace octet
