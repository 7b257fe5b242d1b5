// SPDX-License-Identifier: Apache-2.0

#include "models/operators/integer_matmul.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/implementations.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/integer_products.h"
#include "models/operators/node_checks.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

using Input = IntegerProductInput;

class IntegerMatMulStep final : public Step {
 public:
  IntegerMatMulStep(std::size_t k, bool is_unsigned, std::vector<std::int32_t> weight_sums,
                    bool has_zero_points, std::unique_ptr<const kernels::MatmulS8> matmul)
      : k_(k),
        is_unsigned_(is_unsigned),
        weight_sums_(std::move(weight_sums)),
        has_zero_points_(has_zero_points),
        matmul_(std::move(matmul)) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    ScratchLayout layout;
    const std::size_t m = NumRows(inputs[Input::kX]);
    if (is_unsigned_) layout.Take<std::int8_t>(m * k_);
    layout.Take<std::byte>(matmul_->ScratchByteSize(m));
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[Input::kX];
    const std::size_t m = NumRows(x);
    ScratchLayout layout(arguments.scratch);
    std::span<std::int8_t> shifted;
    if (is_unsigned_) shifted = layout.Take<std::int8_t>(m * k_);
    const std::span<std::int32_t> out(arguments.outputs[0].as<std::int32_t>(),
                                      m * weight_sums_.size());
    matmul_->Run({.m = m,
                  .lhs = AsInt8(x, is_unsigned_, shifted),
                  .out = {.s32 = out, .f32 = {}, .s8 = {}},
                  .scratch = layout.Take<std::byte>(matmul_->ScratchByteSize(m))});
    if (has_zero_points_) {
      SubtractZeroPoints(arguments.inputs[Input::kXZeroPoint], is_unsigned_, weight_sums_, out);
    }
  }

  [[nodiscard]] bool is_exact() const override { return true; }
  [[nodiscard]] std::string kernel_name() const override {
    return std::string(matmul_->Provider());
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override {
    return index == Input::kX || index == Input::kXZeroPoint;
  }
  [[nodiscard]] std::size_t packed_byte_size() const override { return matmul_->PackedByteSize(); }

 private:
  static std::size_t NumRows(const TensorView& x) {
    return static_cast<std::size_t>(NumElements(x.dims.first(x.dims.size() - 1)));
  }

  const std::size_t k_;
  const bool is_unsigned_;
  const std::vector<std::int32_t> weight_sums_;
  const bool has_zero_points_;
  const std::unique_ptr<const kernels::MatmulS8> matmul_;
};

class IntegerMatMul final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "IntegerMatMul"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, Input::kCount));
    RETURN_IF_ERROR(inputs.CheckRank(Input::kX, "x", 1));
    RETURN_IF_ERROR(inputs.CheckRank(Input::kWeight, "weight", 2, 2));
    RETURN_IF_ERROR(
        inputs.CheckDataType(Input::kWeight, "weight", {DataType::kInt8, DataType::kUint8}));
    RETURN_IF_ERROR(inputs.CheckConstant(Input::kWeight, "weight"));
    const Dims& weight = inputs.constant(Input::kWeight)->dims();
    const Shape& x = types[Input::kX].shape;
    if (weight[0] < 1 || weight[1] < 1 || x.back() != Dim(weight[0])) {
      return InvalidNode(node, "input \"weight\" is ", ToString(weight), " for an x of ",
                         ToString(x, {}));
    }
    RETURN_IF_ERROR(CheckIntegerProduct(node, inputs, weight[1], x.size() - 1));
    Shape shape = x;
    shape.back() = Dim(weight[1]);
    return OneOutput(node, {DataType::kInt32, shape, std::nullopt});
  }

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims& output) const override {
    const auto k = static_cast<double>(inputs[Input::kWeight][0]);
    return {.count = ElementCount(output) * k, .are_integer = true};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const Dims& dims = context.constants[Input::kWeight]->dims();
    const auto n = static_cast<std::size_t>(dims[1]);
    ASSIGN_OR_RETURN(ProductWeights weights, MakeProductWeights(context, n));
    const std::optional<std::int32_t> zero_point = FixedZeroPoint(context);
    kernels::MatmulS8Spec spec;
    spec.k = static_cast<std::size_t>(dims[0]);
    spec.n = n;
    spec.weight = weights.values;
    spec.zero_point = weights.zero_point;
    spec.lhs_zero_point = kernels::ZeroPoint{zero_point.value_or(0)};
    spec.implementation = context.choose_implementation(
        kernels::LayerKey(spec), context.kernels.matmul_s8_implementations(spec));
    auto prepared = context.kernels.prepare_matmul_s8(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    return std::make_unique<const IntegerMatMulStep>(
        spec.k, context.inputs[Input::kX].data_type == DataType::kUint8, std::move(weights.sums),
        !zero_point.has_value(), std::move(prepared.kernel));
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeIntegerMatMul() {
  return std::make_unique<const IntegerMatMul>();
}

}  // namespace octet
