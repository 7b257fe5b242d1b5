// SPDX-License-Identifier: Apache-2.0
// ONNX's operators over integers: what quantizers write who do not leave QuantizeLinear and
// DequantizeLinear in the graph.

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/int8_constant.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/image.h"
#include "models/importers/onnx/integer_products.h"
#include "models/importers/onnx/matrix_product.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/quantized_activation.h"
#include "models/importers/onnx/quantized_weights.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

Outputs TranslateDynamicQuantizeLinear(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  for (std::size_t i = 1; call.lead() == 0 && i < call.num_outputs(); ++i) {
    if (call.translation().outputs.contains(call.node().outputs[i])) {
      return call.Unimplemented("its scale or zero point, one for all rows, is an output");
    }
  }
  ASSIGN_OR_RETURN(DynamicallyQuantized quantized, QuantizeDynamically(call, call.input(0)));
  return std::vector<Operand>{std::move(quantized.values), std::move(quantized.scale),
                              std::move(quantized.zero_point)};
}

Operand InputOrNone(const NodeCall& call, std::size_t index) {
  return call.Has(index) ? call.input(index) : Operand{};
}

Outputs TranslateMatMulInteger(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 4));
  ASSIGN_OR_RETURN(Operand result,
                   IntegerProduct(call, call.input(0), InputOrNone(call, 2), {0, 1, 2, 3}, ""));
  return Single(std::move(result));
}

// The filter of a convolution of integers, [M, C / groups, (kd,) kh, kw].
struct IntegerFilter {
  ConstantTensor tensor;
  std::vector<std::int64_t> kernel;
};

absl::StatusOr<IntegerFilter> FilterOf(NodeCall& call, std::size_t index,
                                       std::size_t spatial_rank) {
  ASSIGN_OR_RETURN(const ConstantTensor tensor, call.Constant(index, "weights"));
  const Dims& dims = tensor.dims();
  if (tensor.data_type() != DataType::kInt8 && tensor.data_type() != DataType::kUint8) {
    return call.Unimplemented(absl::StrCat("weights of type ", DataTypeName(tensor.data_type())));
  }
  if (dims.size() != spatial_rank + 2 || NumElements(dims) == 0) {
    return call.Invalid(absl::StrCat("its weights are ", ToString(dims), ", wants ",
                                     spatial_rank + 2, " dimensions of at least 1"));
  }
  Dims image = dims;
  if (spatial_rank == 1) image.push_back(1);
  IntegerFilter filter{WithDims(tensor, image), {dims.begin() + 2, dims.end()}};
  ASSIGN_OR_RETURN(const auto given, call.Ints("kernel_shape", filter.kernel));
  if (given == filter.kernel) return filter;
  return call.Invalid(absl::StrCat("attribute \"kernel_shape\" is ", ToString(given),
                                   " and its weights are ", ToString(dims)));
}

Outputs TranslateConvInteger(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 4));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::size_t spatial_rank, SpatialRank(call, *x));
  ASSIGN_OR_RETURN(const IntegerFilter filter, FilterOf(call, 1, spatial_rank));
  ASSIGN_OR_RETURN(const ImageWindow window, ImageWindowOf(call, *x, filter.kernel));
  ASSIGN_OR_RETURN(const std::int64_t groups, call.Int("group", 1));
  ASSIGN_OR_RETURN(FilterForm form, FilterFormOf(call, filter.tensor, groups, x->shape[1], false));
  const std::int64_t channels = filter.tensor.dims()[0];
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, *x));
  std::vector<ValueId> inputs = {
      image, call.AddConstant(absl::StrCat(call.input(1).name, "/hwio"), AsInt8(form.kernel)),
      kNoValue, kNoValue};
  if (call.Has(2)) {
    const Operand& zero_point = call.input(2);
    if (zero_point.type() != x->type) {
      return call.Invalid("its zero point is not of the input's type");
    }
    if (const ConstantTensor* const constant = zero_point.constant()) {
      if (NumElements(constant->dims()) != 1) return call.Invalid("wants one zero point for x");
      inputs[2] = call.AddConstant(absl::StrCat(zero_point.name, "/one"), WithDims(*constant, {1}));
    } else {
      const ValueId id = NodeCall::AnyForm(*zero_point.activation()).second;
      ASSIGN_OR_RETURN(inputs[2], call.graph().Reshape(absl::StrCat(call.name(), "/zero_point"), id,
                                                       {0, 1, 1, 1}));
    }
  }
  ASSIGN_OR_RETURN(const auto zeros,
                   WeightZeroPoints(call, 3, filter.tensor.data_type(), channels));
  if (zeros.has_value()) {
    inputs[3] = call.AddConstant(absl::StrCat(call.input(1).name, "/zero_point"), *zeros);
  }
  Attributes attributes = window.attributes();
  attributes["dilations"] = window.dilations;
  attributes.merge(form.attributes);
  ASSIGN_OR_RETURN(const ValueId id,
                   call.Emit("IntegerConv2d", std::move(inputs), std::move(attributes)));
  ASSIGN_OR_RETURN(Operand result, FromImage(call, id, *x));
  return Single(std::move(result));
}

Outputs TranslateQLinearConv(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 9, {0, 1, 3, 4, 6}));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::size_t spatial_rank, SpatialRank(call, *x, kMostAxes));
  ASSIGN_OR_RETURN(const IntegerFilter filter, FilterOf(call, 3, spatial_rank));
  ASSIGN_OR_RETURN(const ImageWindow window, ImageWindowOf(call, *x, filter.kernel));
  ASSIGN_OR_RETURN(const std::int64_t groups, call.Int("group", 1));
  ASSIGN_OR_RETURN(FilterForm form, FilterFormOf(call, filter.tensor, groups, x->shape[1], true));
  ASSIGN_OR_RETURN(const Quantization from, QuantizationOf(call, 1, 2, x->type));
  ASSIGN_OR_RETURN(const Quantization to, ResultQuantization(call, 6, 7));
  const std::int64_t channels = filter.tensor.dims()[0];
  QuantizedWeights weights;
  weights.kernel = AsInt8(form.kernel);
  ASSIGN_OR_RETURN(weights.scale, WeightScales(call, 4, channels));
  ASSIGN_OR_RETURN(weights.zero_point,
                   WeightZeroPoints(call, 5, filter.tensor.data_type(), channels));
  if (call.Has(8)) {
    ASSIGN_OR_RETURN(weights.bias, IntegerBias(call, 8, channels));
    weights.ShrinkIdleBiases(from.scale / to.scale);
  }
  ASSIGN_OR_RETURN(const auto integers, IntegersOf(call, *x, from));
  ASSIGN_OR_RETURN(const ValueId image, ImageOf(call, *integers));
  const bool is_depthwise = form.op == "DepthwiseConv2d";
  const std::string order = spatial_rank == kMostAxes ? "/dhwio" : "/hwio";
  ASSIGN_OR_RETURN(
      const WeightValues values,
      weights.AddTo(call, absl::StrCat(call.input(3).name, is_depthwise ? "/depthwise" : order)));
  std::vector<ValueId> inputs = {image, values.kernel, values.scale, values.bias,
                                 values.zero_point};
  Attributes attributes = window.attributes();
  attributes["dilations"] = window.dilations;
  attributes.merge(form.attributes);
  attributes.merge(to.attributes("output_"));
  attributes["activation_quantization"] = std::string("static");
  attributes["scale_convention"] = std::string("multiply");
  attributes["requantization"] = std::string("float32");
  ASSIGN_OR_RETURN(const ValueId id, call.Emit(form.op, std::move(inputs), std::move(attributes)));
  if (spatial_rank == 1) {
    Dims stored = weights.kernel.dims();
    stored.erase(stored.begin() + 1);
    weights.kernel = WithDims(weights.kernel, stored);
  }
  call.Record(absl::StrCat(is_depthwise ? "DepthwiseConv" : "Conv", SpatialName(spatial_rank)),
              call.input(3).name, weights.variables(), "int8_static");
  ASSIGN_OR_RETURN(const Operand result, FromImage(call, id, *integers));
  ASSIGN_OR_RETURN(
      Operand bytes,
      FromIntegers(call, std::get<std::shared_ptr<Activation>>(result.content), to.type));
  return Single(std::move(bytes));
}

// The product's scale as a constant that broadcasts: a's, one or one a row, times b's, one or one a
// column, over the result's, each operation in float32.
absl::StatusOr<ConstantTensor> ProductScale(NodeCall& call, float result_scale) {
  ASSIGN_OR_RETURN(const ConstantTensor a, call.FloatConstant(1, "scale"));
  ASSIGN_OR_RETURN(const ConstantTensor b, call.FloatConstant(4, "scale"));
  const std::vector<float> rows = FloatElements(a);
  const std::vector<float> columns = FloatElements(b);
  if (a.dims().size() > 2 || b.dims().size() > 2 || rows.empty() || columns.empty()) {
    return call.Unimplemented("scales of more than one dimension");
  }
  Dims dims = {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(columns.size())};
  RETURN_IF_ERROR(ReserveConstant(call, dims));
  std::vector<float> values;
  for (const float row : rows) {
    for (const float column : columns) values.push_back(row * column / result_scale);
  }
  if (rows.size() == 1) dims.erase(dims.begin());
  if (values.size() == 1) dims.clear();
  return ConstantTensor::Copy(DataType::kFloat32, dims, values);
}

// A product of two activations, with zero points or scales for each row, or of more than a matrix:
// whole numbers of float32, which are exact as long as their sums are below 2^24.
absl::StatusOr<Operand> RealProduct(NodeCall& call, const Quantization& to) {
  std::array<Operand, 2> operands;
  for (const std::size_t side : {0U, 1U}) {
    const std::size_t at = 3 * side;
    ASSIGN_OR_RETURN(operands[side],
                     CentredIntegers(call, call.input(at), InputOrNone(call, at + 2), side == 0,
                                     side == 0 ? "a" : "b"));
  }
  ASSIGN_OR_RETURN(Operand value, Product(call, operands[0], operands[1], false, false, "sums"));
  ASSIGN_OR_RETURN(const ConstantTensor scale, ProductScale(call, to.scale));
  ASSIGN_OR_RETURN(
      value, call.Broadcast("Multiply", {value, {absl::StrCat(call.name(), "/scale"), scale}}, {},
                            "scaled"));
  // Of scale 1, so that only rounding and the zero point are left.
  Quantization one = to;
  one.scale = 1.0F;
  ASSIGN_OR_RETURN(const Operand integers,
                   call.Elementwise("Quantize", value, one.attributes(), "rounded"));
  const auto [order, id] = NodeCall::AnyForm(*integers.activation());
  ASSIGN_OR_RETURN(const ValueId meant, call.Emit("Reinterpret", {id}, to.attributes()));
  return FromIntegers(call, call.FromValue(meant, order), to.type);
}

Outputs TranslateQLinearMatMul(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 8, {0, 1, 3, 4, 6}));
  const Operand& a = call.input(0);
  const Operand& b = call.input(3);
  if (a.rank() < 2 || b.rank() < 2)
    return call.Unimplemented("a product of integers with a vector");
  ASSIGN_OR_RETURN(const Quantization to, ResultQuantization(call, 6, 7));
  const bool is_layer = a.activation() != nullptr && b.constant() != nullptr && b.rank() == 2 &&
                        (b.type() == DataType::kInt8 || b.type() == DataType::kUint8) &&
                        call.input(1).constant() != nullptr &&
                        NumElements(call.input(1).constant()->dims()) == 1;
  if (!is_layer) {
    ASSIGN_OR_RETURN(Operand result, RealProduct(call, to));
    return Single(std::move(result));
  }
  StaticProduct product;
  ASSIGN_OR_RETURN(product.a, QuantizationOf(call, 1, 2, a.type()));
  product.weight = *b.constant();
  product.weight_name = b.name;
  product.b_scale = 4;
  product.b_zero_point = 5;
  product.result = to;
  ASSIGN_OR_RETURN(Operand result, StaticFullyConnected(call, a, product));
  return Single(std::move(result));
}

constexpr std::array kOperators = {
    OperatorEntry{"ConvInteger", TranslateConvInteger},
    OperatorEntry{"DynamicQuantizeLinear", TranslateDynamicQuantizeLinear},
    OperatorEntry{"MatMulInteger", TranslateMatMulInteger},
    OperatorEntry{"QLinearConv", TranslateQLinearConv},
    OperatorEntry{"QLinearMatMul", TranslateQLinearMatMul},
};

bool IsOneConstant(const NodeCall& call, std::size_t index) {
  return call.Has(index) && call.input(index).constant() != nullptr &&
         NumElements(call.input(index).constant()->dims()) == 1;
}

// A product with a matrix of an activation whose quantization is constant: a layer.
absl::StatusOr<Operand> StaticToFloat(NodeCall& call) {
  const Operand& a = call.input(0);
  StaticProduct product;
  ASSIGN_OR_RETURN(product.a, QuantizationOf(call, 2, 4, a.type()));
  product.weight = *call.input(1).constant();
  product.weight_name = call.input(1).name;
  product.b_scale = 3;
  product.b_zero_point = 5;
  ASSIGN_OR_RETURN(Operand result, StaticFullyConnected(call, a, product));
  if (!call.Has(6)) return result;
  return call.Broadcast("Add", {result, call.input(6)}, {}, "biased");
}

Outputs TranslateMatMulIntegerToFloat(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 7, {0, 1, 2, 3}));
  const Operand& a = call.input(0);
  const Operand& b = call.input(1);
  if (a.activation() != nullptr && a.rank() >= 2 && b.constant() != nullptr && b.rank() == 2 &&
      (b.type() == DataType::kInt8 || b.type() == DataType::kUint8) && IsOneConstant(call, 2) &&
      (!call.Has(4) || IsOneConstant(call, 4))) {
    ASSIGN_OR_RETURN(Operand layer, StaticToFloat(call));
    return Single(std::move(layer));
  }
  ASSIGN_OR_RETURN(const Operand sums,
                   IntegerProduct(call, call.input(0), InputOrNone(call, 4), {0, 1, 4, 5}, "sums"));
  ASSIGN_OR_RETURN(Operand result, ScaledSums(call, sums, call.input(2), 3, 6));
  return Single(std::move(result));
}

Outputs TranslateDynamicQuantizeMatMul(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(3, 5));
  ASSIGN_OR_RETURN(const DynamicallyQuantized a, QuantizeDynamically(call, call.input(0)));
  ASSIGN_OR_RETURN(const Operand sums,
                   IntegerProduct(call, a.values, a.zero_point, {0, 1, 0, 3}, "sums"));
  ASSIGN_OR_RETURN(Operand result, ScaledSums(call, sums, a.scale, 2, 4));
  return Single(std::move(result));
}

Outputs TranslateQGemm(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 9, {0, 1, 3, 4}));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 1.0F));
  ASSIGN_OR_RETURN(const std::int64_t transposes_a, call.Int("transA", 0));
  ASSIGN_OR_RETURN(const std::int64_t transposes_b, call.Int("transB", 0));
  const Operand& a = call.input(0);
  if (transposes_a != 0 || a.activation() == nullptr || a.rank() != 2) {
    return call.Unimplemented("a first operand that is transposed, constant, or no matrix");
  }
  ASSIGN_OR_RETURN(const ConstantTensor weight, call.Constant(3, "weights"));
  if (weight.dims().size() != 2 || NumElements(weight.dims()) == 0 ||
      (weight.data_type() != DataType::kInt8 && weight.data_type() != DataType::kUint8)) {
    return call.Invalid(absl::StrCat("its weights are ", DataTypeName(weight.data_type()),
                                     ToString(weight.dims()), ", wants a matrix of 8 bits"));
  }
  StaticProduct product;
  ASSIGN_OR_RETURN(product.a, QuantizationOf(call, 1, 2, a.type()));
  product.a.scale = alpha * product.a.scale;
  if (!(product.a.scale > 0.0F)) return call.Unimplemented(absl::StrCat("an alpha of ", alpha));
  product.weight = transposes_b != 0 ? TransposeConstant(weight, {1, 0}) : weight;
  product.weight_name = absl::StrCat(call.input(3).name, transposes_b != 0 ? "/kn" : "");
  product.b_scale = 4;
  product.b_zero_point = 5;
  if (call.Has(6)) {
    ASSIGN_OR_RETURN(product.bias, IntegerBias(call, 6, product.weight.dims()[1]));
  }
  if (call.Has(7)) {
    ASSIGN_OR_RETURN(product.result, ResultQuantization(call, 7, 8));
  }
  ASSIGN_OR_RETURN(Operand result, StaticFullyConnected(call, a, product));
  return Single(std::move(result));
}

Outputs TranslateDynamicQuantizeLstm(NodeCall& call) {
  return call.Unimplemented(
      "an LSTM whose input and state are quantized at every step; keep LSTMs as they are "
      "(op_types_to_quantize of ONNX Runtime's quantizer)");
}

constexpr std::array kMicrosoftOperators = {
    OperatorEntry{"DynamicQuantizeLSTM", TranslateDynamicQuantizeLstm, /*is_refused=*/true},
    OperatorEntry{"DynamicQuantizeMatMul", TranslateDynamicQuantizeMatMul},
    OperatorEntry{"MatMulIntegerToFloat", TranslateMatMulIntegerToFloat},
    OperatorEntry{"QGemm", TranslateQGemm},
};

}  // namespace

std::span<const OperatorEntry> IntegerOperators() { return kOperators; }
std::span<const OperatorEntry> MicrosoftIntegerOperators() { return kMicrosoftOperators; }

}  // namespace octet::onnx
