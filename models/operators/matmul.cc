// SPDX-License-Identifier: Apache-2.0

#include "models/operators/matmul.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

struct Transposes {
  bool a = false;
  bool b = false;
};

absl::StatusOr<Transposes> TransposeAttributes(const Node& node) {
  Transposes transposes;
  ASSIGN_OR_RETURN(transposes.a, FlagAttribute(node, "transpose_a", false));
  ASSIGN_OR_RETURN(transposes.b, FlagAttribute(node, "transpose_b", false));
  return transposes;
}

std::span<const std::int64_t> Leading(std::span<const std::int64_t> dims) {
  return dims.first(dims.size() - 2);
}

// The product of one pair of matrices; the batch is left to the caller.
kernels::BatchedMatmulF32Shape MatrixShape(const Transposes& transposes, const TensorView& a,
                                           const TensorView& b) {
  const auto last = [](const TensorView& view, std::size_t back) {
    return static_cast<std::size_t>(view.dims[view.dims.size() - back]);
  };
  kernels::BatchedMatmulF32Shape shape;
  shape.m = last(a, transposes.a ? 1 : 2);
  shape.k = last(a, transposes.a ? 2 : 1);
  shape.n = last(b, transposes.b ? 2 : 1);
  shape.lhs_row_stride = transposes.a ? 1 : last(a, 1);
  shape.lhs_column_stride = transposes.a ? last(a, 1) : 1;
  shape.rhs_row_stride = transposes.b ? 1 : last(b, 1);
  shape.rhs_column_stride = transposes.b ? last(b, 1) : 1;
  shape.out_row_stride = shape.n;
  shape.out_batch_stride = shape.m * shape.n;
  return shape;
}

// Runs of `count` pairs with the steps of a broadcast.
void SetBatch(const std::array<std::int64_t, 2>& steps, std::int64_t count,
              kernels::BatchedMatmulF32Shape& shape) {
  shape.batch = static_cast<std::size_t>(count);
  shape.lhs_batch_stride = static_cast<std::size_t>(steps[0]) * shape.m * shape.k;
  shape.rhs_batch_stride = static_cast<std::size_t>(steps[1]) * shape.k * shape.n;
}

struct LeadingDims {
  std::array<std::int64_t, kMaxRank> dims{};
  std::size_t rank = 0;
  [[nodiscard]] std::span<const std::int64_t> view() const { return {dims.data(), rank}; }
};

LeadingDims BroadcastLeading(const TensorView& a, const TensorView& b) {
  const auto da = Leading(a.dims);
  const auto db = Leading(b.dims);
  LeadingDims result;
  result.rank = std::max(da.size(), db.size());
  for (std::size_t back = 1; back <= result.rank; ++back) {
    const std::int64_t left = back <= da.size() ? da[da.size() - back] : 1;
    const std::int64_t right = back <= db.size() ? db[db.size() - back] : 1;
    result.dims[result.rank - back] = left == 1 ? right : left;
  }
  return result;
}

class MatMul final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "MatMul"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, 2));
    ASSIGN_OR_RETURN(const Transposes transposes, TransposeAttributes(node));
    for (const std::size_t i : {0U, 1U}) {
      RETURN_IF_ERROR(inputs.CheckDataType(i, i == 0 ? "a" : "b", {DataType::kFloat32}));
      RETURN_IF_ERROR(inputs.CheckRank(i, i == 0 ? "a" : "b", 2));
    }
    const Shape& a = types[0].shape;
    const Shape& b = types[1].shape;
    // Of two dimensions the first is the batch: only the rows of a may be that.
    const bool mixes_rows = (a.size() == 2 && !a[0].is_constant() && transposes.a) ||
                            (b.size() == 2 && !b[0].is_constant());
    if (mixes_rows) {
      return InvalidNode(node, "shapes ", ToString(a, {}), " and ", ToString(b, {}),
                         ": the product would mix the rows of the batch");
    }
    const Dim& k_of_a = a[a.size() - (transposes.a ? 2 : 1)];
    const Dim& k_of_b = b[b.size() - (transposes.b ? 1 : 2)];
    if (k_of_a != k_of_b) {
      return InvalidNode(node, "shapes ", ToString(a, {}), " and ", ToString(b, {}),
                         " do not multiply");
    }
    ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(node, Shape(a.begin(), a.end() - 2),
                                                  Shape(b.begin(), b.end() - 2)));
    if (a.size() == 2 && !a[0].is_constant() && !shape.empty()) {
      return InvalidNode(node, "shapes ", ToString(a, {}), " and ", ToString(b, {}),
                         " would move the batch away from dimension 0");
    }
    shape.push_back(a[a.size() - (transposes.a ? 1 : 2)]);
    shape.push_back(b[b.size() - (transposes.b ? 2 : 1)]);
    return OneOutput(node, {DataType::kFloat32, std::move(shape), std::nullopt});
  }

  [[nodiscard]] ProductCount CountProducts(const Node& node, std::span<const Dims> inputs,
                                           const Dims& output) const override {
    const Dims& a = inputs[0];
    const bool is_transposed = TransposeAttributes(node).value_or(Transposes()).a;
    const auto k = static_cast<double>(a[a.size() - (is_transposed ? 2 : 1)]);
    return {.count = ElementCount(output) * k};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const Transposes transposes, TransposeAttributes(context.node));
    const kernels::KernelSet& kernels = context.kernels;
    return MakeStepWithScratch(
        absl::StrCat(std::string(kernels.name), ":batched_matmul_f32"),
        [transposes, &kernels](const StepArguments& arguments) {
          Run(transposes, kernels, arguments);
        },
        [transposes, &kernels](std::span<const TensorView> inputs) -> std::size_t {
          kernels::BatchedMatmulF32Shape shape = MatrixShape(transposes, inputs[0], inputs[1]);
          const LeadingDims leading = BroadcastLeading(inputs[0], inputs[1]);
          std::size_t most = 0;
          ForEachBroadcastRun<2>(leading.view(), {Leading(inputs[0].dims), Leading(inputs[1].dims)},
                                 [&](std::int64_t, const std::array<std::int64_t, 2>&,
                                     const std::array<std::int64_t, 2>& steps, std::int64_t count) {
                                   SetBatch(steps, count, shape);
                                   most = std::max(
                                       most, kernels.batched_matmul_f32_scratch_byte_size(shape));
                                 });
          return most;
        });
  }

 private:
  static void Run(const Transposes& transposes, const kernels::KernelSet& kernels,
                  const StepArguments& arguments) {
    const TensorView& a = arguments.inputs[0];
    const TensorView& b = arguments.inputs[1];
    kernels::BatchedMatmulF32Shape shape = MatrixShape(transposes, a, b);
    const auto lhs_size = static_cast<std::size_t>(NumElements(a.dims));
    const auto rhs_size = static_cast<std::size_t>(NumElements(b.dims));
    const auto out_size = static_cast<std::size_t>(NumElements(arguments.outputs[0].dims));
    if (out_size == 0) return;
    const std::span<const float> lhs(a.as<float>(), lhs_size);
    const std::span<const float> rhs(b.as<float>(), rhs_size);
    const std::span<float> out(arguments.outputs[0].as<float>(), out_size);
    const LeadingDims leading = BroadcastLeading(a, b);
    ForEachBroadcastRun<2>(
        leading.view(), {Leading(a.dims), Leading(b.dims)},
        [&](std::int64_t at, const std::array<std::int64_t, 2>& offsets,
            const std::array<std::int64_t, 2>& steps, std::int64_t count) {
          SetBatch(steps, count, shape);
          kernels.batched_matmul_f32(
              shape, lhs.subspan(static_cast<std::size_t>(offsets[0]) * shape.m * shape.k),
              rhs.subspan(static_cast<std::size_t>(offsets[1]) * shape.k * shape.n),
              out.subspan(static_cast<std::size_t>(at) * shape.m * shape.n), arguments.scratch);
        });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeMatMul() { return std::make_unique<const MatMul>(); }

}  // namespace octet
