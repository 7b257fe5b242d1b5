// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fixed_point_lstm.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "kernels/fixed_point_lstm.h"
#include "kernels/implementations.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"
#include "models/operators/recurrent_layer.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

// Where the inputs are; u units, gates i, f, c, o.
constexpr std::size_t kX = 0;               // [N, T, i] int8
constexpr std::size_t kKernel = 1;          // [i, 4u] int8
constexpr std::size_t kRecurrent = 2;       // [u, 4u] int8
constexpr std::size_t kBias = 3;            // [4u] int32, or absent
constexpr std::size_t kKernelScale = 4;     // [4u]
constexpr std::size_t kRecurrentScale = 5;  // [4u]
constexpr std::size_t kCount = 6;
constexpr std::int64_t kGates = 4;

// Steps in time whose inputs are projected at once: enough to fill the matrix kernels, and a bound
// for the scratch of long sequences.
constexpr std::size_t kChunk = 32;

struct LstmAttributes {
  kernels::LstmFormula formula = {};
  kernels::FixedRounding rounding = {};
  int cell_exponent = 0;
  std::int16_t cell_clip = 0;
  TensorQuantization output;
  TensorQuantization state;
};

// The x of a scale that is 2^x.
absl::StatusOr<int> CellExponent(const Node& node) {
  using kernels::FixedPointLstm;
  ASSIGN_OR_RETURN(const float scale, PositiveAttribute(node, "cell_scale", 0.0));
  int exponent = 0;
  const float fraction = std::frexp(scale, &exponent);
  --exponent;
  if (fraction == 0.5F && exponent >= FixedPointLstm::kLowestCellExponent &&
      exponent <= FixedPointLstm::kHighestCellExponent) {
    return exponent;
  }
  return UnimplementedNode(node, "attribute \"cell_scale\" is ", scale,
                           ", wants a power of two from 2^", FixedPointLstm::kLowestCellExponent,
                           " to 2^", FixedPointLstm::kHighestCellExponent);
}

// In units of the cell state, cut as TensorFlow Lite does.
absl::StatusOr<std::int16_t> CellClip(const Node& node, int cell_exponent) {
  ASSIGN_OR_RETURN(const float clip, FloatAttribute(node, "cell_clip", 0.0));
  if (clip < 0.0F) {
    return InvalidNode(node, "attribute \"cell_clip\" is ", clip, ", wants 0 or more");
  }
  const double units = std::ldexp(static_cast<double>(clip), -cell_exponent);
  return static_cast<std::int16_t>(std::min(units, 32767.0));
}

absl::StatusOr<LstmAttributes> Attributes(const Node& node) {
  LstmAttributes attributes;
  ASSIGN_OR_RETURN(const std::string formula,
                   NameAttribute(node, "formula", "micro", {"micro", "litert"}));
  attributes.formula =
      formula == "micro" ? kernels::LstmFormula::kMicro : kernels::LstmFormula::kLiteRt;
  ASSIGN_OR_RETURN(const std::string requantization,
                   NameAttribute(node, "requantization", "fixed", {"fixed", "fixed_single"}));
  attributes.rounding =
      requantization == "fixed" ? kernels::FixedRounding::kDouble : kernels::FixedRounding::kSingle;
  ASSIGN_OR_RETURN(attributes.cell_exponent, CellExponent(node));
  ASSIGN_OR_RETURN(attributes.cell_clip, CellClip(node, attributes.cell_exponent));
  ASSIGN_OR_RETURN(attributes.output, QuantizationAttributes(node, "output_"));
  attributes.state = attributes.output;
  if (node.attributes.contains("state_scale") || node.attributes.contains("state_zero_point")) {
    ASSIGN_OR_RETURN(attributes.state, QuantizationAttributes(node, "state_"));
  }
  return attributes;
}

// What a sum of products with values of scale `x` is to be multiplied by, to be in units of 2^-12.
absl::StatusOr<std::vector<double>> GateScales(const Node& node, const ConstantTensor& weight_scale,
                                               kernels::Scale x) {
  std::vector<double> scales;
  for (const float scale : FloatElements(weight_scale)) {
    const float product = scale * x.value;  // in float32, as all of TensorFlow Lite's kernels do
    if (!std::isfinite(product)) {
      return InvalidNode(node, "the scales ", scale, " and ", x.value, " have no finite product");
    }
    scales.push_back(std::ldexp(static_cast<double>(product), 12));
  }
  return scales;
}

class FixedPointLstmStep final : public Step {
 public:
  // `projection` is of the inputs with the bias, `recurrent` of the hidden state, both to int32.
  FixedPointLstmStep(std::size_t inputs, std::size_t units, std::int32_t first_h,
                     kernels::FixedPointLstm cell,
                     std::unique_ptr<const kernels::MatmulS8> projection,
                     std::unique_ptr<const kernels::MatmulS8> recurrent)
      : inputs_(inputs),
        units_(units),
        first_h_(static_cast<std::int8_t>(first_h)),
        cell_(std::move(cell)),
        projection_(std::move(projection)),
        recurrent_(std::move(recurrent)) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    ScratchLayout layout;
    TakeBuffers(inputs[kX], layout);
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[kX];
    ScratchLayout layout(arguments.scratch);
    const Buffers buffers = TakeBuffers(x, layout);
    std::fill(buffers.h.begin(), buffers.h.end(), first_h_);
    std::fill(buffers.c.begin(), buffers.c.end(), std::int16_t{0});
    for (std::size_t first = 0; first < buffers.steps; first += kChunk) {
      const std::size_t count = std::min(kChunk, buffers.steps - first);
      Project(x, first, count, buffers);
      for (std::size_t i = 0; i < count; ++i) {
        Advance(i, buffers);
        Emit(first + i, buffers, arguments.outputs[0].as<std::int8_t>());
      }
    }
  }

  [[nodiscard]] bool is_exact() const override { return true; }
  [[nodiscard]] std::string kernel_name() const override {
    return absl::StrCat("recurrent:", std::string(projection_->Provider()));
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override { return index == kX; }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return projection_->PackedByteSize() + recurrent_->PackedByteSize() + cell_.ByteSize();
  }

 private:
  struct Buffers {
    std::size_t rows = 0;
    std::size_t steps = 0;
    std::size_t chunk = 0;
    std::span<std::int32_t> sums;       // [max(rows, chunk), 4 * u]
    std::span<std::int16_t> projected;  // [rows, chunk, 4 * u]
    std::span<std::int8_t> h;           // [rows, u]
    std::span<std::int16_t> c;          // [rows, u]
    std::span<std::byte> scratch;       // of both products
  };

  [[nodiscard]] std::size_t width() const { return kGates * units_; }

  Buffers TakeBuffers(const TensorView& x, ScratchLayout& layout) const {
    Buffers buffers;
    buffers.rows = static_cast<std::size_t>(x.dims[0]);
    buffers.steps = static_cast<std::size_t>(x.dims[1]);
    buffers.chunk = std::min(kChunk, buffers.steps);
    buffers.sums = layout.Take<std::int32_t>(std::max(buffers.rows, buffers.chunk) * width());
    buffers.projected = layout.Take<std::int16_t>(buffers.rows * buffers.chunk * width());
    buffers.h = layout.Take<std::int8_t>(buffers.rows * units_);
    buffers.c = layout.Take<std::int16_t>(buffers.rows * units_);
    // The last chunk may be shorter.
    buffers.scratch =
        layout.Take<std::byte>(std::max({projection_->ScratchByteSize(buffers.chunk),
                                         projection_->ScratchByteSize(buffers.steps % kChunk),
                                         recurrent_->ScratchByteSize(buffers.rows)}));
    return buffers;
  }

  // Projects the inputs at times [first, first + count) of every row.
  void Project(const TensorView& x, std::size_t first, std::size_t count,
               const Buffers& buffers) const {
    const std::span<std::int32_t> sums = buffers.sums.first(count * width());
    for (std::size_t row = 0; row < buffers.rows; ++row) {
      const std::int8_t* const from = x.as<std::int8_t>() + (row * buffers.steps + first) * inputs_;
      projection_->Run({.m = count,
                        .lhs = {from, count * inputs_},
                        .out = {.s32 = sums, .f32 = {}, .s8 = {}},
                        .scratch = buffers.scratch});
      cell_.Project(sums,
                    buffers.projected.subspan(row * buffers.chunk * width(), count * width()));
    }
  }

  // The states after step `index` of the chunk.
  void Advance(std::size_t index, const Buffers& buffers) const {
    recurrent_->Run(
        {.m = buffers.rows,
         .lhs = buffers.h,
         .out = {.s32 = buffers.sums.first(buffers.rows * width()), .f32 = {}, .s8 = {}},
         .scratch = buffers.scratch});
    for (std::size_t row = 0; row < buffers.rows; ++row) {
      const std::size_t at = (row * buffers.chunk + index) * width();
      cell_.Advance({.projected = buffers.projected.subspan(at, width()),
                     .sums = buffers.sums.subspan(row * width(), width()),
                     .c = buffers.c.subspan(row * units_, units_),
                     .h = buffers.h.subspan(row * units_, units_)});
    }
  }

  void Emit(std::size_t time, const Buffers& buffers, std::int8_t* out) const {
    for (std::size_t row = 0; row < buffers.rows; ++row) {
      std::copy_n(buffers.h.data() + row * units_, units_,
                  out + (row * buffers.steps + time) * units_);
    }
  }

  const std::size_t inputs_;
  const std::size_t units_;
  const std::int8_t first_h_;  // real 0
  const kernels::FixedPointLstm cell_;
  const std::unique_ptr<const kernels::MatmulS8> projection_;
  const std::unique_ptr<const kernels::MatmulS8> recurrent_;
};

class FixedPointLstmOperator final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "FixedPointLstm"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(kBias, kCount));
    RETURN_IF_ERROR(inputs.CheckRank(kX, "x", 3, 3));
    RETURN_IF_ERROR(inputs.CheckDataType(kX, "x", {DataType::kInt8}));
    RETURN_IF_ERROR(CheckStaticInput(node, inputs, kX));
    RETURN_IF_ERROR(inputs.CheckRank(kKernel, "kernel", 2, 2));
    RETURN_IF_ERROR(inputs.CheckRank(kRecurrent, "recurrent", 2, 2));
    RETURN_IF_ERROR(inputs.CheckConstant(kKernel, "kernel"));
    RETURN_IF_ERROR(inputs.CheckConstant(kRecurrent, "recurrent"));
    const std::int64_t width = inputs.constant(kKernel)->dims()[0];
    const Dims& recurrent = inputs.constant(kRecurrent)->dims();
    const std::int64_t units = recurrent[0];
    if (width < 1 || units < 1 || recurrent[1] % kGates != 0 || recurrent[1] / kGates != units) {
      return InvalidNode(node, "got ", width, " inputs and a recurrent weight of ",
                         ToString(recurrent), ", wants at least 1 and [units, 4 * units]");
    }
    const std::array gates{recurrent[1]};
    RETURN_IF_ERROR(
        inputs.CheckConstant(kKernel, "kernel", DataType::kInt8, std::array{width, gates[0]}));
    RETURN_IF_ERROR(inputs.CheckDataType(kRecurrent, "recurrent", {DataType::kInt8}));
    RETURN_IF_ERROR(inputs.CheckScale(kKernelScale, "kernel_scale", gates));
    RETURN_IF_ERROR(inputs.CheckScale(kRecurrentScale, "recurrent_scale", gates));
    if (inputs.Has(kBias)) {
      RETURN_IF_ERROR(inputs.CheckConstant(kBias, "bias", DataType::kInt32, gates));
    }
    const Shape& x = types[kX].shape;
    if (x[2] != Dim(width) || x[1] == Dim(0)) {
      return InvalidNode(node, "input \"x\" has shape ", ToString(x, {}),
                         ", wants at least one step of ", width);
    }
    ASSIGN_OR_RETURN(const LstmAttributes attributes, Attributes(node));
    return OneOutput(node, {DataType::kInt8, {x[0], x[1], Dim(units)}, attributes.output});
  }

  // Its first inputs are where the float layers have them.
  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims&) const override {
    return {.count = CountRecurrentProducts(inputs).count, .are_integer = true};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const Node& node = context.node;
    ASSIGN_OR_RETURN(const LstmAttributes attributes, Attributes(node));
    const TensorQuantization& x = *context.inputs[kX].quantization;
    ASSIGN_OR_RETURN(const std::vector<double> input_scale,
                     GateScales(node, *context.constants[kKernelScale], x.scale));
    ASSIGN_OR_RETURN(const std::vector<double> recurrent_scale,
                     GateScales(node, *context.constants[kRecurrentScale], attributes.state.scale));
    std::vector<std::int32_t> bias;
    if (node.HasInput(kBias)) bias = Int32Elements(*context.constants[kBias]);
    kernels::MatmulS8Spec projection = ProductSpec(*context.constants[kKernel], x.zero_point);
    projection.epilogue.bias_s32 = bias;
    projection.implementation = context.choose_implementation(
        kernels::LayerKey(projection), context.kernels.matmul_s8_implementations(projection));
    auto prepared_projection = context.kernels.prepare_matmul_s8(projection);
    if (prepared_projection.kernel == nullptr) return InvalidNode(node, prepared_projection.error);
    const kernels::MatmulS8Spec recurrent =
        ProductSpec(*context.constants[kRecurrent], attributes.state.zero_point);
    auto prepared_recurrent = context.kernels.prepare_matmul_s8(recurrent);
    if (prepared_recurrent.kernel == nullptr) return InvalidNode(node, prepared_recurrent.error);
    // Micro's kernel has the state's quantization for the output, LiteRT's the other way round.
    const bool is_micro = attributes.formula == kernels::LstmFormula::kMicro;
    const TensorQuantization& hidden = is_micro ? attributes.state : attributes.output;
    kernels::FixedPointLstm cell({.units = recurrent.k,
                                  .formula = attributes.formula,
                                  .rounding = attributes.rounding,
                                  .input_scale = input_scale,
                                  .recurrent_scale = recurrent_scale,
                                  .cell_exponent = attributes.cell_exponent,
                                  .cell_clip = attributes.cell_clip,
                                  .hidden_scale = hidden.scale,
                                  .hidden_zero_point = hidden.zero_point});
    return std::make_unique<const FixedPointLstmStep>(
        projection.k, recurrent.k, attributes.state.zero_point.value, std::move(cell),
        std::move(prepared_projection.kernel), std::move(prepared_recurrent.kernel));
  }

 private:
  // Borrows `weight`.
  static kernels::MatmulS8Spec ProductSpec(const ConstantTensor& weight,
                                           kernels::ZeroPoint lhs_zero_point) {
    kernels::MatmulS8Spec spec;
    spec.k = static_cast<std::size_t>(weight.dims()[0]);
    spec.n = static_cast<std::size_t>(weight.dims()[1]);
    spec.weight = weight.as<std::int8_t>();
    spec.lhs_zero_point = lhs_zero_point;
    return spec;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeFixedPointLstm() {
  return std::make_unique<const FixedPointLstmOperator>();
}

}  // namespace octet
