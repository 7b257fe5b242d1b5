// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/integer_products.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/importers/int8_constant.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/matrix_product.h"
#include "models/importers/onnx/quantized_weights.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

// The most terms for which every sum of products of two bytes is exact in float32.
constexpr std::int64_t kMostExactTerms = 258;

// `zero_point`, which each row of the batch has one of, beside a value of `rank` dimensions.
absl::StatusOr<ValueId> ZeroPointBeside(NodeCall& call, const Operand& zero_point,
                                        std::size_t rank) {
  if (const ConstantTensor* const constant = zero_point.constant()) {
    return call.AddConstant(absl::StrCat(zero_point.name, "/one"), WithDims(*constant, {1}));
  }
  const ValueId id = NodeCall::AnyForm(*zero_point.activation()).second;
  const Shape& shape = call.graph().ShapeOf(id);
  if (std::any_of(shape.begin() + 1, shape.end(), [](const Dim& dim) { return dim != Dim(1); })) {
    return call.Unimplemented("a zero point for each row of a matrix that is no constant");
  }
  std::vector<std::int64_t> to(rank, 1);
  to[0] = 0;
  return call.graph().Reshape(absl::StrCat(call.name(), "/zero_point"), id, std::move(to));
}

// One that is the same for all of x, or comes with it.
bool IsOneZeroPoint(const Operand& zero_point) {
  return zero_point.is_absent() || zero_point.constant() == nullptr ||
         NumElements(zero_point.constant()->dims()) == 1;
}

absl::StatusOr<Operand> ProductWithMatrix(NodeCall& call, Activation& a, const Operand& zero_point,
                                          const ProductInputs& inputs, absl::string_view suffix) {
  const Operand& b = call.input(inputs.b);
  const ConstantTensor& weight = *b.constant();
  const std::int64_t channels = weight.dims()[1];
  ASSIGN_OR_RETURN(const auto form, call.FormWithLastAxis(a));
  std::vector<ValueId> operands = {form.second,
                                   call.AddConstant(absl::StrCat(b.name, "/int8"), AsInt8(weight)),
                                   kNoValue, kNoValue};
  if (!zero_point.is_absent()) {
    if (zero_point.type() != a.type) {
      return call.Invalid("its zero point is not of the input's type");
    }
    ASSIGN_OR_RETURN(operands[2],
                     ZeroPointBeside(call, zero_point, call.graph().ShapeOf(form.second).size()));
  }
  ASSIGN_OR_RETURN(const auto zeros,
                   WeightZeroPoints(call, inputs.b_zero_point, weight.data_type(), channels));
  if (zeros.has_value()) {
    operands[3] = call.AddConstant(absl::StrCat(b.name, "/zero_point"), *zeros);
  }
  ASSIGN_OR_RETURN(const ValueId id, call.Emit("IntegerMatMul", std::move(operands), {}, suffix));
  return call.Result(id, form.first);
}

}  // namespace

absl::StatusOr<Operand> CentredIntegers(NodeCall& call, const Operand& x, const Operand& zero_point,
                                        bool is_left, absl::string_view suffix) {
  if (x.type() != DataType::kInt8 && x.type() != DataType::kUint8) {
    return call.Unimplemented(absl::StrCat("integers of type ", DataTypeName(x.type())));
  }
  Operand values;
  if (const ConstantTensor* const constant = x.constant()) {
    values = {absl::StrCat(x.name, "/f32"),
              FromDoubles(DataType::kFloat32, constant->dims(), DoubleElements(*constant))};
  } else {
    ASSIGN_OR_RETURN(values, call.Elementwise("Cast", x, {{"to", std::string("FP32")}},
                                              absl::StrCat(suffix, "/real")));
  }
  if (zero_point.is_absent()) return values;
  const ConstantTensor* const constant = zero_point.constant();
  if (constant == nullptr) return call.Unimplemented("a zero point that is no constant here");
  std::vector<double> zeros = DoubleElements(*constant);
  Dims dims = constant->dims();
  if (zeros.size() == 1) dims = {};
  // One for each row of a left operand, or column of a right one.
  if (is_left && dims.size() == 1) dims.push_back(1);
  const Operand subtrahend = {absl::StrCat(zero_point.name, "/f32"),
                              FromDoubles(DataType::kFloat32, dims, zeros)};
  if (values.constant() == nullptr) {
    if (std::all_of(zeros.begin(), zeros.end(), [](double zero) { return zero == 0; })) {
      return values;
    }
    return call.Broadcast("Subtract", {values, subtrahend}, {}, absl::StrCat(suffix, "/centred"));
  }
  std::vector<float> numbers = FloatElements(*values.constant());
  const Dims& full = values.constant()->dims();
  const std::int64_t columns = full.empty() ? 1 : full.back();
  const std::int64_t rows = full.size() < 2 ? 1 : full[full.size() - 2];
  const auto count = static_cast<std::int64_t>(zeros.size());
  if (count != 1 && count != (is_left ? rows : columns)) {
    return call.Unimplemented(absl::StrCat("zero points of ", ToString(constant->dims())));
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t from = count == 1 ? 0 : is_left ? at / columns % rows : at % columns;
    numbers[i] -= static_cast<float>(zeros[static_cast<std::size_t>(from)]);
  }
  return Operand{absl::StrCat(x.name, "/centred"),
                 ConstantTensor::Copy(DataType::kFloat32, full, numbers)};
}

absl::StatusOr<DynamicallyQuantized> QuantizeDynamically(NodeCall& call, const Operand& x) {
  Activation* const activation = x.activation();
  if (activation == nullptr) return call.Unimplemented("quantizes what is known beforehand");
  if (call.lead() == 0 && call.translation().written_rows > 1) {
    return call.Unimplemented(absl::StrCat("one scale for ", call.translation().written_rows,
                                           " rows, which must not depend on each other"));
  }
  const auto [order, id] = NodeCall::AnyForm(*activation);
  ASSIGN_OR_RETURN(const std::vector<ValueId> ids,
                   call.graph().EmitMany("DynamicQuantize", absl::StrCat(call.name(), "/quantized"),
                                         {id}, {}, 3));
  DynamicallyQuantized result;
  result.values = call.Result(ids[0], order);
  if (call.lead() == 0) {
    // One for each row, so that they stretch along the batch.
    result.scale = call.Result(ids[1], order);
    result.zero_point = call.Result(ids[2], order);
    return result;
  }
  for (const auto& [from, to] : {std::pair(ids[1], &result.scale), {ids[2], &result.zero_point}}) {
    ASSIGN_OR_RETURN(const ValueId scalar,
                     call.graph().Reshape(absl::StrCat(call.name(), "/scalar"), from, {0}));
    *to = call.Result(scalar, {});
  }
  return result;
}

absl::StatusOr<Operand> IntegerProduct(NodeCall& call, const Operand& a, const Operand& zero_point,
                                       const ProductInputs& inputs, absl::string_view suffix) {
  const Operand& b = call.input(inputs.b);
  if (b.is_absent()) return call.Invalid("its second operand is absent");
  if (a.type() != DataType::kInt8 && a.type() != DataType::kUint8) {
    return call.Unimplemented(absl::StrCat("integers of type ", DataTypeName(a.type())));
  }
  const bool is_matrix = b.constant() != nullptr && b.rank() == 2 &&
                         (b.type() == DataType::kInt8 || b.type() == DataType::kUint8);
  if (is_matrix && a.activation() != nullptr && IsOneZeroPoint(zero_point) &&
      a.rank() + call.lead() >= 2) {
    return ProductWithMatrix(call, *a.activation(), zero_point, inputs, suffix);
  }
  if (a.rank() < 2 || b.rank() < 2) {
    return call.Unimplemented("a product of integers with a vector");
  }
  const Dim terms = a.shape().back();
  if (!terms.is_constant() || terms.value() > kMostExactTerms) {
    return call.Unimplemented(
        absl::StrCat("sums of more than ", kMostExactTerms,
                     " products of two activations, or with a zero point for each row"));
  }
  // Whole numbers that float32 holds exactly.
  const Operand none;
  const Operand& b_zero_point =
      call.Has(inputs.b_zero_point) ? call.input(inputs.b_zero_point) : none;
  ASSIGN_OR_RETURN(Operand left, CentredIntegers(call, a, zero_point, true, "a"));
  ASSIGN_OR_RETURN(Operand right, CentredIntegers(call, b, b_zero_point, false, "b"));
  ASSIGN_OR_RETURN(const Operand sums, Product(call, left, right, false, false, "sums"));
  return call.Elementwise("Cast", sums, {{"to", std::string("INT32")}}, suffix);
}

absl::StatusOr<Operand> ScaledSums(NodeCall& call, const Operand& sums, const Operand& a_scale,
                                   std::size_t b_scale, std::size_t bias) {
  ASSIGN_OR_RETURN(const Operand real,
                   call.Elementwise("Cast", sums, {{"to", std::string("FP32")}}, "real"));
  ASSIGN_OR_RETURN(const ConstantTensor scales, call.FloatConstant(b_scale, "weights' scale"));
  Operand scale = call.input(b_scale);
  if (NumElements(scales.dims()) == 1) scale.content = WithDims(scales, {});
  if (const ConstantTensor* const constant = a_scale.constant()) {
    if (NumElements(constant->dims()) != 1) {
      return call.Unimplemented("a scale for each row of a matrix");
    }
    std::vector<float> products = FloatElements(scales);
    for (float& product : products) product = FloatElements(*constant)[0] * product;
    scale = {absl::StrCat(call.name(), "/scale"),
             ConstantTensor::Copy(DataType::kFloat32, scale.constant()->dims(), products)};
  } else {
    ASSIGN_OR_RETURN(scale, call.Broadcast("Multiply", {a_scale, scale}, {}, "scale"));
  }
  const bool has_bias = call.Has(bias);
  ASSIGN_OR_RETURN(Operand result,
                   call.Broadcast("Multiply", {real, scale}, {}, has_bias ? "product" : ""));
  if (!has_bias) return result;
  return call.Broadcast("Add", {result, call.input(bias)});
}

absl::StatusOr<Operand> StaticFullyConnected(NodeCall& call, const Operand& a,
                                             const StaticProduct& product) {
  const std::int64_t channels = product.weight.dims()[1];
  ASSIGN_OR_RETURN(const auto integers, IntegersOf(call, *a.activation(), product.a));
  ASSIGN_OR_RETURN(const auto form, call.FormWithLastAxis(*integers));
  QuantizedWeights weights;
  weights.kernel = AsInt8(product.weight);
  ASSIGN_OR_RETURN(weights.scale, WeightScales(call, product.b_scale, channels));
  ASSIGN_OR_RETURN(weights.zero_point, WeightZeroPoints(call, product.b_zero_point,
                                                        product.weight.data_type(), channels));
  weights.bias = product.bias;
  if (product.result.has_value()) {
    weights.ShrinkIdleBiases(product.a.scale / product.result->scale);
  }
  ASSIGN_OR_RETURN(const WeightValues values,
                   weights.AddTo(call, absl::StrCat(product.weight_name, "/int8")));
  std::vector<ValueId> inputs = {form.second, values.kernel, values.scale, values.zero_point,
                                 values.bias};
  Attributes attributes;
  if (product.result.has_value()) attributes = product.result->attributes("output_");
  attributes["activation_quantization"] = std::string("static");
  attributes["scale_convention"] = std::string("multiply");
  attributes["requantization"] = std::string("float32");
  ASSIGN_OR_RETURN(const ValueId id,
                   call.Emit("FullyConnected", std::move(inputs), std::move(attributes)));
  call.Record("Dense", product.weight_name, weights.variables(), "int8_static");
  if (!product.result.has_value()) return call.Result(id, form.first);
  return FromIntegers(call, call.FromValue(id, form.first), product.result->type);
}

}  // namespace octet::onnx
