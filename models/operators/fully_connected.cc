// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fully_connected.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kernels/implementations.h"
#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/fully_connected_weights.h"
#include "models/operators/fused_activation.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

using Input = FullyConnectedInput;

const ConstantTensor* ConstantAt(const PrepareContext& context, std::size_t index) {
  return index < context.constants.size() ? context.constants[index] : nullptr;
}

std::size_t NumRows(const TensorView& x) {
  return static_cast<std::size_t>(NumElements(x.dims.first(x.dims.size() - 1)));
}

// What is added to the results, or nothing.
std::span<const float> Residual(const StepArguments& arguments, std::size_t size) {
  if (arguments.inputs.size() <= Input::kResidual ||
      arguments.inputs[Input::kResidual].data == nullptr) {
    return {};
  }
  return {arguments.inputs[Input::kResidual].as<float>(), size};
}

// What has to be done to each row of x before float32 or dynamically quantized weights meet it.
struct RowPreparation {
  std::vector<std::uint32_t> order;  // element p is x[order[p]]; empty: as it is
  std::vector<float> divisor;        // by position after the reordering; empty: 1

  // The prepared rows of x, [m, k]: x itself, or a copy in `layout`.
  [[nodiscard]] std::span<const float> Apply(const TensorView& x, std::size_t m, std::size_t k,
                                             ScratchLayout& layout) const {
    const std::span<const float> rows(x.as<float>(), m * k);
    if (!is_needed()) return rows;
    const std::span<float> prepared = layout.Take<float>(m * k);
    for (std::size_t i = 0; i < m; ++i) {
      const float* from = rows.data() + i * k;
      float* to = prepared.data() + i * k;
      for (std::size_t p = 0; p < k; ++p) {
        const float value = order.empty() ? from[p] : from[order[p]];
        to[p] = divisor.empty() ? value : value / divisor[p];
      }
    }
    return prepared;
  }

  // Reserves in `layout` what Apply takes from it.
  void Reserve(std::size_t m, std::size_t k, ScratchLayout& layout) const {
    if (is_needed()) layout.Take<float>(m * k);
  }

  [[nodiscard]] bool is_needed() const { return !order.empty() || !divisor.empty(); }
};

// Float32 activations; weights of any precision.
class FloatStep final : public Step {
 public:
  FloatStep(FullyConnectedForm form, FusedActivation activation, RowPreparation preparation,
            std::unique_ptr<const kernels::MatmulF32> matmul, const kernels::KernelSet& kernels)
      : form_(form),
        activation_(activation),
        preparation_(std::move(preparation)),
        matmul_(std::move(matmul)),
        kernels_(kernels) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    const std::size_t m = NumRows(inputs[Input::kX]);
    ScratchLayout layout;
    preparation_.Reserve(m, form_.k, layout);
    layout.Take<std::byte>(matmul_->ScratchByteSize(m));
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    const std::size_t m = NumRows(arguments.inputs[Input::kX]);
    ScratchLayout layout(arguments.scratch);
    const std::span<const float> x =
        preparation_.Apply(arguments.inputs[Input::kX], m, form_.k, layout);
    const std::span<float> out(arguments.outputs[0].as<float>(), m * form_.n);
    matmul_->Run({.m = m,
                  .lhs = x,
                  .residual = Residual(arguments, out.size()),
                  .out = out,
                  .scratch = layout.Take<std::byte>(matmul_->ScratchByteSize(m))});
    ApplyOverRows(kernels_, activation_, form_.n, out);
  }

  [[nodiscard]] std::string kernel_name() const override {
    return std::string(matmul_->Provider());
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override {
    return index == Input::kX || index == Input::kResidual || index == Input::kRowScale;
  }
  [[nodiscard]] std::size_t packed_byte_size() const override { return matmul_->PackedByteSize(); }

 private:
  const FullyConnectedForm form_;
  const FusedActivation activation_;
  const RowPreparation preparation_;
  const std::unique_ptr<const kernels::MatmulF32> matmul_;
  const kernels::KernelSet& kernels_;
};

// PTDQ: float32 rows, quantized here if they are not yet, times integer weights.
class DynamicStep final : public Step {
 public:
  DynamicStep(FullyConnectedForm form, FusedActivation activation, RowPreparation preparation,
              kernels::RowQuantizeSpec rows, std::unique_ptr<const kernels::MatmulS8> matmul,
              const kernels::KernelSet& kernels)
      : form_(form),
        activation_(activation),
        preparation_(std::move(preparation)),
        rows_(rows),
        matmul_(std::move(matmul)),
        kernels_(kernels) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    const std::size_t m = NumRows(inputs[Input::kX]);
    ScratchLayout layout;
    if (!form_.has_quantized_rows) {
      preparation_.Reserve(m, form_.k, layout);
      layout.Take<std::int8_t>(m * form_.k);
      layout.Take<float>(m);
    }
    layout.Take<std::byte>(matmul_->ScratchByteSize(m));
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    const std::size_t m = NumRows(arguments.inputs[Input::kX]);
    ScratchLayout layout(arguments.scratch);
    const QuantizedRows rows =
        form_.has_quantized_rows
            ? QuantizedRows{{arguments.inputs[Input::kX].as<std::int8_t>(), m * form_.k},
                            {arguments.inputs[Input::kRowScale].as<float>(), m}}
            : Quantize(arguments.inputs[Input::kX], m, layout);
    const std::span<float> out(arguments.outputs[0].as<float>(), m * form_.n);
    matmul_->Run({.m = m,
                  .lhs = rows.values,
                  .row_scale = rows.scale,
                  .residual = Residual(arguments, out.size()),
                  .out = {.s32 = {}, .f32 = out, .s8 = {}},
                  .scratch = layout.Take<std::byte>(matmul_->ScratchByteSize(m))});
    ApplyOverRows(kernels_, activation_, form_.n, out);
  }

  [[nodiscard]] bool is_exact() const override { return !activation_.over_rows.has_value(); }
  [[nodiscard]] std::string kernel_name() const override {
    return std::string(matmul_->Provider());
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override {
    return index == Input::kX || index == Input::kResidual || index == Input::kRowScale;
  }
  [[nodiscard]] std::size_t packed_byte_size() const override { return matmul_->PackedByteSize(); }

 private:
  struct QuantizedRows {
    std::span<const std::int8_t> values;  // [m, k]
    std::span<const float> scale;         // [m]
  };

  QuantizedRows Quantize(const TensorView& x, std::size_t m, ScratchLayout& layout) const {
    const std::span<const float> prepared = preparation_.Apply(x, m, form_.k, layout);
    const std::span<std::int8_t> values = layout.Take<std::int8_t>(m * form_.k);
    const std::span<float> scale = layout.Take<float>(m);
    kernels::RowQuantizeSpec rows = rows_;
    rows.num_rows = m;
    rows.row_size = form_.k;
    kernels_.quantize_rows_s8(rows, prepared, values, scale);
    return {values, scale};
  }

  const FullyConnectedForm form_;
  const FusedActivation activation_;
  const RowPreparation preparation_;
  const kernels::RowQuantizeSpec rows_;
  const std::unique_ptr<const kernels::MatmulS8> matmul_;
  const kernels::KernelSet& kernels_;
};

// PTSQ: T in, which is int8 or int16, T or float32 out.
template <typename Matmul, typename T>
class StaticStep final : public Step {
 public:
  StaticStep(FullyConnectedForm form, FusedActivation activation,
             std::unique_ptr<const Matmul> matmul, const kernels::KernelSet& kernels)
      : form_(form), activation_(activation), matmul_(std::move(matmul)), kernels_(kernels) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    return matmul_->ScratchByteSize(NumRows(inputs[Input::kX]));
  }

  void Run(const StepArguments& arguments) const override {
    const std::size_t m = NumRows(arguments.inputs[Input::kX]);
    typename Matmul::Arguments run;
    run.m = m;
    run.lhs = {arguments.inputs[Input::kX].as<T>(), m * form_.k};
    SetOutput(arguments.outputs[0], m * form_.n, run.out);
    run.scratch = arguments.scratch;
    matmul_->Run(run);
    if (!run.out.f32.empty()) ApplyOverRows(kernels_, activation_, form_.n, run.out.f32);
  }

  [[nodiscard]] bool is_exact() const override { return !activation_.over_rows.has_value(); }
  [[nodiscard]] std::string kernel_name() const override {
    return std::string(matmul_->Provider());
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override {
    return index == Input::kX || index == Input::kResidual || index == Input::kRowScale;
  }
  [[nodiscard]] std::size_t packed_byte_size() const override { return matmul_->PackedByteSize(); }

 private:
  const FullyConnectedForm form_;
  const FusedActivation activation_;
  const std::unique_ptr<const Matmul> matmul_;
  const kernels::KernelSet& kernels_;
};

absl::StatusOr<std::unique_ptr<const kernels::MatmulF32>> PrepareFloatMatmul(
    const PrepareContext& context, const FullyConnectedForm& form,
    const FusedActivation& activation, std::span<const float> weight, bool is_transposed) {
  std::vector<float> bias;
  if (const ConstantTensor* constant = ConstantAt(context, Input::kBias)) {
    bias = FloatElements(*constant);
  }
  kernels::MatmulF32Spec spec;
  spec.k = form.k;
  spec.n = form.n;
  spec.layout =
      is_transposed ? kernels::WeightLayout::kOutputMajor : kernels::WeightLayout::kInputMajor;
  spec.weight = weight;
  spec.bias = bias;
  spec.activation = activation.elementwise;
  auto prepared = context.kernels.prepare_matmul_f32(spec);
  if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
  return std::move(prepared.kernel);
}

// Weight-only quantization.
absl::StatusOr<std::unique_ptr<const kernels::MatmulF32>> PrepareWeightOnlyMatmul(
    const PrepareContext& context, const FullyConnectedForm& form,
    const FusedActivation& activation, const IntegerWeights& weights) {
  std::vector<float> bias;
  if (const ConstantTensor* constant = ConstantAt(context, Input::kBias)) {
    bias = FloatElements(*constant);
  }
  kernels::MatmulWeightOnlySpec spec;
  spec.k = form.k;
  spec.n = form.n;
  spec.layout = weights.layout;
  spec.bits = weights.bits;
  spec.weight = weights.values;
  spec.group_size = form.group_size;
  spec.scale = weights.scale;
  spec.zero_point = weights.zero_point;
  spec.convention = form.convention;
  spec.bias = bias;
  spec.activation = activation.elementwise;
  auto prepared = context.kernels.prepare_matmul_weight_only(spec);
  if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
  return std::move(prepared.kernel);
}

absl::StatusOr<std::unique_ptr<const kernels::MatmulS8>> PrepareIntegerMatmul(
    const PrepareContext& context, const FullyConnectedForm& form, const IntegerWeights& weights,
    const kernels::Epilogue& epilogue) {
  const auto zero_point = form.quantization == ActivationQuantization::kStatic
                              ? context.inputs[Input::kX].quantization->zero_point
                              : kernels::ZeroPoint{0};
  kernels::Prepared<kernels::MatmulS8> prepared;
  if (weights.bits == 4) {
    kernels::MatmulS8S4Spec spec;
    spec.k = form.k;
    spec.n = form.n;
    spec.layout = weights.layout;
    spec.weight = weights.values;
    spec.group_size = form.group_size;
    if (form.group_size != 0) spec.scale = weights.scale;
    spec.zero_point = weights.zero_point;
    spec.lhs_zero_point = zero_point;
    spec.epilogue = epilogue;
    spec.implementation = context.choose_implementation(
        kernels::LayerKey(spec), context.kernels.matmul_s8s4_implementations(spec));
    prepared = context.kernels.prepare_matmul_s8s4(spec);
  } else {
    kernels::MatmulS8Spec spec;
    spec.k = form.k;
    spec.n = form.n;
    spec.layout = weights.layout;
    spec.weight = weights.values;
    spec.zero_point = weights.zero_point;
    spec.lhs_zero_point = zero_point;
    spec.epilogue = epilogue;
    spec.implementation = context.choose_implementation(
        kernels::LayerKey(spec), context.kernels.matmul_s8_implementations(spec));
    prepared = context.kernels.prepare_matmul_s8(spec);
  }
  if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
  return std::move(prepared.kernel);
}

// `constant`'s elements in the order of a reordered input.
std::vector<float> Divisors(const ConstantTensor* constant, std::span<const std::uint32_t> order) {
  if (constant == nullptr) return {};
  std::vector<float> divisors = FloatElements(*constant);
  if (order.empty()) return divisors;
  std::vector<float> ordered(divisors.size());
  for (std::size_t p = 0; p < order.size(); ++p) ordered[p] = divisors[order[p]];
  return ordered;
}

absl::Status CheckResidual(const Node& node, const NodeInputs& inputs,
                           const FullyConnectedForm& form, const FusedActivation& activation,
                           const Shape& shape) {
  RETURN_IF_ERROR(inputs.CheckDataType(Input::kResidual, "residual", {DataType::kFloat32}));
  if (form.quantization == ActivationQuantization::kStatic || activation.over_rows.has_value()) {
    return UnimplementedNode(node, "a \"residual\" with \"static\" quantization or a softmax");
  }
  if (inputs.shape(Input::kResidual) != shape) {
    return InvalidNode(node, "input \"residual\" has shape ",
                       ToString(inputs.shape(Input::kResidual), {}), ", wants ",
                       ToString(shape, {}));
  }
  return absl::OkStatus();
}

class FullyConnected final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "FullyConnected"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    ASSIGN_OR_RETURN(const FullyConnectedForm form,
                     CheckFullyConnected(node, NodeInputs(node, types, constants)));
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(node));
    Shape shape = types[Input::kX].shape;
    shape.back() = Dim(static_cast<std::int64_t>(form.n));
    TensorType output{DataType::kFloat32, shape, std::nullopt};
    if (form.quantization == ActivationQuantization::kStatic) {
      ASSIGN_OR_RETURN(output, StaticOutputType(node, shape, types[Input::kX].data_type));
      if (output.quantization.has_value()) {
        RETURN_IF_ERROR(StaticClipRange(node, activation, output).status());
      }
    }
    if (form.quantization == ActivationQuantization::kDynamic) {
      RETURN_IF_ERROR(DynamicAttributes(node).status());
    }
    const NodeInputs inputs(node, types, constants);
    if (inputs.Has(Input::kResidual)) {
      RETURN_IF_ERROR(CheckResidual(node, inputs, form, activation, output.shape));
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] ProductCount CountProducts(const Node& node, std::span<const Dims> inputs,
                                           const Dims& output) const override {
    const auto k = static_cast<double>(inputs[Input::kX].back());
    return {.count = ElementCount(output) * k, .are_integer = MultipliesIntegers(node)};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const FullyConnectedForm form,
                     CheckFullyConnected(context.node, NodeInputs(context.node, context.inputs,
                                                                  context.constants)));
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(context.node));
    switch (form.quantization) {
      case ActivationQuantization::kNone:
        return PrepareFloat(context, form, activation);
      case ActivationQuantization::kDynamic:
        return PrepareDynamic(context, form, activation);
      case ActivationQuantization::kStatic:
        break;
    }
    ASSIGN_OR_RETURN(const IntegerWeights weights,
                     MakeIntegerWeights(context.node, form, context.constants, {}));
    if (context.inputs[Input::kX].data_type == DataType::kInt16) {
      return PrepareInt16(context, form, activation, weights);
    }
    ASSIGN_OR_RETURN(const IntegerEpilogue epilogue,
                     IntegerEpilogue::Static(
                         context.node, activation, *context.inputs[Input::kX].quantization,
                         context.outputs[0], weights.scale, ConstantAt(context, Input::kBias)));
    ASSIGN_OR_RETURN(auto matmul, PrepareIntegerMatmul(context, form, weights, epilogue.View()));
    return std::make_unique<const StaticStep<kernels::MatmulS8, std::int8_t>>(
        form, activation, std::move(matmul), context.kernels);
  }

 private:
  static absl::StatusOr<std::unique_ptr<const Step>> PrepareInt16(const PrepareContext& context,
                                                                  const FullyConnectedForm& form,
                                                                  const FusedActivation& activation,
                                                                  const IntegerWeights& weights) {
    ASSIGN_OR_RETURN(
        const Int16Epilogue epilogue,
        Int16Epilogue::Make(context.node, activation, *context.inputs[Input::kX].quantization,
                            context.outputs[0], weights.scale, ConstantAt(context, Input::kBias)));
    kernels::MatmulS16Spec spec;
    spec.k = form.k;
    spec.n = form.n;
    spec.layout = weights.layout;
    spec.weight = weights.values;
    spec.epilogue = epilogue.View();
    auto prepared = context.kernels.prepare_matmul_s16(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    return std::make_unique<const StaticStep<kernels::MatmulS16, std::int16_t>>(
        form, activation, std::move(prepared.kernel), context.kernels);
  }

  static absl::StatusOr<std::unique_ptr<const Step>> PrepareFloat(
      const PrepareContext& context, const FullyConnectedForm& form,
      const FusedActivation& activation) {
    RowPreparation preparation;
    std::unique_ptr<const kernels::MatmulF32> matmul;
    const ConstantTensor* group_index = ConstantAt(context, Input::kGroupIndex);
    const auto order = GroupOrder(form, group_index);
    if (form.is_float) {
      const std::vector<float> weight = FloatElements(*context.constants[Input::kWeight]);
      ASSIGN_OR_RETURN(matmul,
                       PrepareFloatMatmul(context, form, activation, weight, form.is_transposed));
    } else {
      if (order.has_value()) preparation.order = *order;
      ASSIGN_OR_RETURN(
          const IntegerWeights weights,
          MakeIntegerWeights(context.node, form, context.constants, preparation.order));
      if (order.has_value()) {
        ASSIGN_OR_RETURN(matmul, PrepareWeightOnlyMatmul(context, form, activation, weights));
      } else {
        ASSIGN_OR_RETURN(
            matmul, PrepareFloatMatmul(context, form, activation,
                                       DequantizedWeights(form, weights, *group_index), false));
      }
    }
    preparation.divisor = Divisors(ConstantAt(context, Input::kInputScale), preparation.order);
    return std::make_unique<const FloatStep>(form, activation, std::move(preparation),
                                             std::move(matmul), context.kernels);
  }

  static absl::StatusOr<std::unique_ptr<const Step>> PrepareDynamic(
      const PrepareContext& context, const FullyConnectedForm& form,
      const FusedActivation& activation) {
    RowPreparation preparation;
    const auto order = GroupOrder(form, ConstantAt(context, Input::kGroupIndex));
    if (!order.has_value()) {
      return UnimplementedNode(context.node,
                               "quantized activations with groups that are no runs of equal size");
    }
    preparation.order = *order;
    ASSIGN_OR_RETURN(const IntegerWeights weights,
                     MakeIntegerWeights(context.node, form, context.constants, *order));
    ASSIGN_OR_RETURN(
        const IntegerEpilogue epilogue,
        IntegerEpilogue::Dynamic(context.node, activation,
                                 form.group_size == 0 ? weights.scale : std::vector<float>(),
                                 ConstantAt(context, Input::kBias)));
    ASSIGN_OR_RETURN(auto matmul, PrepareIntegerMatmul(context, form, weights, epilogue.View()));
    ASSIGN_OR_RETURN(const kernels::RowQuantizeSpec rows, DynamicAttributes(context.node));
    return std::make_unique<const DynamicStep>(form, activation, std::move(preparation), rows,
                                               std::move(matmul), context.kernels);
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeFullyConnected() {
  return std::make_unique<const FullyConnected>();
}

}  // namespace octet
