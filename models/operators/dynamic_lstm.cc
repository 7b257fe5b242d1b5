// SPDX-License-Identifier: Apache-2.0

#include "models/operators/dynamic_lstm.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "kernels/implementations.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/lstm_gates.h"
#include "models/operators/node_checks.h"
#include "models/operators/row_range.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

constexpr std::size_t kProjected = 0;       // [N, T, 4u] float32
constexpr std::size_t kRecurrent = 1;       // [u, 4u] int8
constexpr std::size_t kRecurrentScale = 2;  // [4u] float32
constexpr std::size_t kCount = 3;
constexpr std::int64_t kGates = 4;

using RangeOf = RowRange(std::span<const float>);

absl::StatusOr<RangeOf*> RangesAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const std::string ranges,
                   NameAttribute(node, "ranges", "asymmetric", {"asymmetric", "symmetric"}));
  return ranges == "symmetric" ? &TfliteSymmetricRangeOf : &TfliteRangeOf;
}

class DynamicLstmStep final : public Step {
 public:
  // `scale` multiplies a sum of products with a column of the weight, `weight_sum` is the column's
  // own sum.
  DynamicLstmStep(LstmGates gates, RangeOf* range_of, std::vector<float> scale,
                  std::vector<std::int32_t> weight_sum,
                  std::unique_ptr<const kernels::MatmulS8> recurrent)
      : gates_(std::move(gates)),
        range_of_(range_of),
        scale_(std::move(scale)),
        weight_sum_(std::move(weight_sum)),
        recurrent_(std::move(recurrent)) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    ScratchLayout layout;
    TakeBuffers(inputs[kProjected], layout);
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[kProjected];
    ScratchLayout layout(arguments.scratch);
    const Buffers buffers = TakeBuffers(x, layout);
    std::fill(buffers.h.begin(), buffers.h.end(), 0.0F);
    std::fill(buffers.c.begin(), buffers.c.end(), 0.0F);
    const std::size_t units = gates_.units();
    const auto steps = static_cast<std::size_t>(x.dims[1]);
    auto* const out = arguments.outputs[0].as<float>();
    for (std::size_t time = 0; time < steps; ++time) {
      Multiply(buffers);
      for (std::size_t row = 0; row < buffers.rows; ++row) {
        const std::size_t at = row * steps + time;
        Advance(row, x.as<float>() + at * gates_.width(), buffers);
        std::copy_n(buffers.h.data() + row * units, units, out + at * units);
      }
    }
  }

  [[nodiscard]] std::string kernel_name() const override {
    return absl::StrCat("recurrent:", std::string(recurrent_->Provider()));
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override { return index == kProjected; }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return recurrent_->PackedByteSize();
  }

 private:
  struct Buffers {
    std::size_t rows = 0;
    std::span<float> h, c;         // [rows, u]
    std::span<std::uint8_t> q;     // [rows, u]: h
    std::span<std::int32_t> sums;  // [rows, 4 * u]
    std::span<RowRange> ranges;    // [rows]: of h
    std::span<float> z;            // [4 * u]
    std::span<std::byte> scratch;
  };

  Buffers TakeBuffers(const TensorView& x, ScratchLayout& layout) const {
    Buffers buffers;
    buffers.rows = static_cast<std::size_t>(x.dims[0]);
    buffers.h = layout.Take<float>(buffers.rows * gates_.units());
    buffers.c = layout.Take<float>(buffers.rows * gates_.units());
    buffers.q = layout.Take<std::uint8_t>(buffers.rows * gates_.units());
    buffers.sums = layout.Take<std::int32_t>(buffers.rows * gates_.width());
    buffers.ranges = layout.Take<RowRange>(buffers.rows);
    buffers.z = layout.Take<float>(gates_.width());
    buffers.scratch = layout.Take<std::byte>(recurrent_->ScratchByteSize(buffers.rows));
    return buffers;
  }

  // h, quantized row by row, times the weight.
  void Multiply(const Buffers& buffers) const {
    const std::size_t units = gates_.units();
    for (std::size_t row = 0; row < buffers.rows; ++row) {
      const std::span<const float> h = buffers.h.subspan(row * units, units);
      buffers.ranges[row] = range_of_(h);
      TfliteQuantize(buffers.ranges[row], h, buffers.q.subspan(row * units, units));
    }
    // The kernel's int8 is uint8 with 128 less.
    for (std::uint8_t& value : buffers.q) value ^= 0x80;
    recurrent_->Run(
        {.m = buffers.rows,
         .lhs = {reinterpret_cast<const std::int8_t*>(buffers.q.data()), buffers.q.size()},
         .out = {.s32 = buffers.sums, .f32 = {}, .s8 = {}},
         .scratch = buffers.scratch});
  }

  // The states of `row` after one step, whose inputs' part of the gates is `projected`.
  void Advance(std::size_t row, const float* projected, const Buffers& buffers) const {
    const RowRange& range = buffers.ranges[row];
    const std::int32_t zero_point = range.zero_point - 128;
    const std::int32_t* const sums = buffers.sums.data() + row * gates_.width();
    for (std::size_t j = 0; j < gates_.width(); ++j) {
      const std::int32_t sum = sums[j] - zero_point * weight_sum_[j];
      buffers.z[j] = projected[j] + static_cast<float>(sum) * (range.scale * scale_[j]);
    }
    const std::size_t units = gates_.units();
    const std::span<float> c = buffers.c.subspan(row * units, units);
    gates_.Advance(
        {.z = buffers.z, .c = c, .next_c = c, .next_h = buffers.h.subspan(row * units, units)});
  }

  const LstmGates gates_;
  RangeOf* const range_of_;
  const std::vector<float> scale_;
  const std::vector<std::int32_t> weight_sum_;
  const std::unique_ptr<const kernels::MatmulS8> recurrent_;
};

class DynamicLstm final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "DynamicLstm"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(kCount, kCount));
    RETURN_IF_ERROR(inputs.CheckDataType(kProjected, "x", {DataType::kFloat32}));
    RETURN_IF_ERROR(inputs.CheckRank(kProjected, "x", 3, 3));
    RETURN_IF_ERROR(inputs.CheckRank(kRecurrent, "recurrent", 2, 2));
    RETURN_IF_ERROR(inputs.CheckConstant(kRecurrent, "recurrent"));
    RETURN_IF_ERROR(inputs.CheckDataType(kRecurrent, "recurrent", {DataType::kInt8}));
    const Dims& recurrent = inputs.constant(kRecurrent)->dims();
    if (recurrent[0] < 1 || recurrent[1] % kGates != 0 || recurrent[1] / kGates != recurrent[0]) {
      return InvalidNode(node, "input \"recurrent\" is ", ToString(recurrent),
                         ", wants [units, 4 * units] and at least one");
    }
    RETURN_IF_ERROR(
        inputs.CheckScale(kRecurrentScale, "recurrent_scale", std::array{recurrent[1]}));
    const Shape& x = types[kProjected].shape;
    if (x[2] != Dim(recurrent[1]) || x[1] == Dim(0)) {
      return InvalidNode(node, "input \"x\" has shape ", ToString(x, {}),
                         ", wants at least one step of ", recurrent[1]);
    }
    RETURN_IF_ERROR(CheckLstmGates(node));
    RETURN_IF_ERROR(RangesAttribute(node).status());
    return OneOutput(node, {DataType::kFloat32, {x[0], x[1], Dim(recurrent[0])}, std::nullopt});
  }

  // The inputs were multiplied before.
  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims&) const override {
    return {.count = ElementCount(std::span(inputs[kProjected]).first(2)) *
                     ElementCount(inputs[kRecurrent]),
            .are_integer = true};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const ConstantTensor& weight = *context.constants[kRecurrent];
    kernels::MatmulS8Spec spec;
    spec.k = static_cast<std::size_t>(weight.dims()[0]);
    spec.n = static_cast<std::size_t>(weight.dims()[1]);
    spec.weight = weight.as<std::int8_t>();
    // Sums of products with the zero point are within int32 where these are.
    spec.lhs_zero_point = kernels::ZeroPoint{127};
    if (auto checked = context.kernels.prepare_matmul_s8(spec); checked.kernel == nullptr) {
      return InvalidNode(context.node, checked.error);
    }
    spec.lhs_zero_point = kernels::ZeroPoint{0};
    spec.implementation = context.choose_implementation(
        kernels::LayerKey(spec), context.kernels.matmul_s8_implementations(spec));
    auto prepared = context.kernels.prepare_matmul_s8(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    std::vector<float> scale = FloatElements(*context.constants[kRecurrentScale]);
    for (float& value : scale) value = 1.0F / value;
    std::vector<std::int32_t> sums(spec.n, 0);
    for (std::size_t i = 0; i < spec.weight.size(); ++i) sums[i % spec.n] += spec.weight[i];
    ASSIGN_OR_RETURN(LstmGates gates, MakeLstmGates(context.node, spec.k, context.kernels));
    ASSIGN_OR_RETURN(RangeOf* const range_of, RangesAttribute(context.node));
    return std::make_unique<const DynamicLstmStep>(std::move(gates), range_of, std::move(scale),
                                                   std::move(sums), std::move(prepared.kernel));
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeDynamicLstm() { return std::make_unique<const DynamicLstm>(); }

}  // namespace octet
