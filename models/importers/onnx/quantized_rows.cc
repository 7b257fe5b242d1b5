// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/quantized_rows.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet::onnx {

namespace {

// As DynamicQuantize gives them.
struct Rows {
  ValueId values;      // uint8
  ValueId scale;       // float32, one a row
  ValueId zero_point;  // uint8
  Order order;         // of the axes of each
};

absl::StatusOr<Rows> QuantizeEachRow(NodeCall& call, Activation& x, const RowsQuantization& rows) {
  ASSIGN_OR_RETURN(const auto form, call.FormWithLastAxis(x));
  const bool is_symmetric = rows.kind == RowsQuantization::Kind::kSymmetric;
  Attributes attributes = {{"formula", std::string("torch")},
                           {"rows", std::string("vectors")},
                           {"epsilon", double{rows.epsilon}},
                           {"steps", std::int64_t{rows.steps}},
                           {"symmetric", std::int64_t{is_symmetric ? 1 : 0}}};
  ASSIGN_OR_RETURN(const std::vector<ValueId> ids,
                   call.graph().EmitMany("DynamicQuantize", absl::StrCat(call.name(), "/quantized"),
                                         {form.second}, std::move(attributes), 3));
  return Rows{ids[0], ids[1], ids[2], form.first};
}

// The integers of `x` by a scale that is known. They are found with a product by its reciprocal, as
// PyTorch finds them: a quotient would differ in halves, and the largest number that was calibrated
// is one.
absl::StatusOr<std::pair<Order, ValueId>> QuantizeAll(NodeCall& call, const Operand& x,
                                                      const RowsQuantization& rows) {
  ASSIGN_OR_RETURN(
      Operand steps,
      call.Broadcast("Multiply", {x, NodeCall::Scalar(1.0F / rows.scale)}, {}, "steps"));
  if (rows.steps != 255) {
    const std::int32_t half = (rows.steps + 1) / 2;
    const Operand least = NodeCall::Scalar(static_cast<float>(-half - rows.zero_point));
    const Operand largest = NodeCall::Scalar(static_cast<float>(half - 1 - rows.zero_point));
    ASSIGN_OR_RETURN(steps, call.Broadcast("Maximum", {steps, least}, {}, "least"));
    ASSIGN_OR_RETURN(steps, call.Broadcast("Minimum", {steps, largest}, {}, "largest"));
  }
  ASSIGN_OR_RETURN(const auto form, call.FormWithLastAxis(*steps.activation()));
  const std::int64_t zero_point = rows.zero_point;
  ASSIGN_OR_RETURN(const ValueId integers,
                   call.Emit("Quantize", {form.second},
                             {{"scale", 1.0}, {"zero_point", zero_point}}, "quantized"));
  ASSIGN_OR_RETURN(
      const ValueId scaled,
      call.Emit("Reinterpret", {integers},
                {{"scale", double{rows.scale}}, {"zero_point", zero_point}}, "scaled"));
  return std::pair(form.first, scaled);
}

struct MatrixValues {
  ValueId data;
  ValueId scale;
  ValueId zero_point = kNoValue;
  std::vector<LayerVariable> variables;
};

MatrixValues AddMatrix(NodeCall& call, const ColumnQuantizedMatrix& matrix) {
  const std::string base = absl::StrCat(call.name(), "/kernel");
  MatrixValues values;
  values.data = call.AddConstant(base, matrix.data);
  values.scale = call.AddConstant(absl::StrCat(base, "_scale"), matrix.scale);
  values.variables = {{"kernel", matrix.data, ""}};
  if (matrix.bias.has_value()) values.variables.push_back({"bias", *matrix.bias, ""});
  values.variables.push_back({"kernel_scale", matrix.scale, "multiply"});
  if (!matrix.zero_point.has_value()) return values;
  values.zero_point = call.AddConstant(absl::StrCat(base, "_zero_point"), *matrix.zero_point);
  values.variables.push_back({"kernel_zero_point", *matrix.zero_point, ""});
  return values;
}

absl::StatusOr<Operand> StaticProduct(NodeCall& call, const Operand& x,
                                      const RowsQuantization& rows,
                                      const ColumnQuantizedMatrix& matrix) {
  ASSIGN_OR_RETURN(const auto form, QuantizeAll(call, x, rows));
  MatrixValues values = AddMatrix(call, matrix);
  ASSIGN_OR_RETURN(
      const ValueId id,
      call.Emit("FullyConnected", {form.second, values.data, values.scale, values.zero_point},
                {{"activation_quantization", std::string("static")},
                 {"scale_convention", std::string("multiply")}},
                matrix.bias.has_value() ? "product" : ""));
  call.Record("Linear", matrix.name, std::move(values.variables), "int8_static");
  return call.Result(id, form.first);
}

absl::StatusOr<Operand> DynamicProduct(NodeCall& call, Activation& x, const RowsQuantization& rows,
                                       const ColumnQuantizedMatrix& matrix) {
  ASSIGN_OR_RETURN(const Rows each, QuantizeEachRow(call, x, rows));
  MatrixValues values = AddMatrix(call, matrix);
  ASSIGN_OR_RETURN(
      const ValueId sums,
      call.Emit("IntegerMatMul", {each.values, values.data, each.zero_point, values.zero_point}, {},
                "sums"));
  call.Record("Linear", matrix.name, std::move(values.variables), "int8");
  // PyTorch's order: the row's scale first.
  ASSIGN_OR_RETURN(const ValueId real,
                   call.Emit("Cast", {sums}, {{"to", std::string("FP32")}}, "real"));
  ASSIGN_OR_RETURN(const ValueId scaled, call.Emit("Multiply", {real, each.scale}, {}, "scaled"));
  ASSIGN_OR_RETURN(const ValueId result, call.Emit("Multiply", {scaled, values.scale}, {},
                                                   matrix.bias.has_value() ? "product" : ""));
  return call.Result(result, each.order);
}

}  // namespace

absl::StatusOr<Operand> ProductOfQuantizedRows(NodeCall& call, const Operand& x,
                                               const RowsQuantization& rows,
                                               const ColumnQuantizedMatrix& matrix) {
  Operand product;
  if (rows.kind == RowsQuantization::Kind::kStatic) {
    ASSIGN_OR_RETURN(product, StaticProduct(call, x, rows, matrix));
  } else {
    ASSIGN_OR_RETURN(product, DynamicProduct(call, *x.activation(), rows, matrix));
  }
  if (!matrix.bias.has_value()) return product;
  return call.Broadcast("Add",
                        {product, Operand{absl::StrCat(call.name(), "/bias"), *matrix.bias}});
}

absl::StatusOr<Operand> RoundedRows(NodeCall& call, const Operand& x,
                                    const RowsQuantization& rows) {
  ASSIGN_OR_RETURN(const Rows each, QuantizeEachRow(call, *x.activation(), rows));
  ASSIGN_OR_RETURN(const ValueId values,
                   call.Emit("Cast", {each.values}, {{"to", std::string("FP32")}}, "integers"));
  ASSIGN_OR_RETURN(
      const ValueId zero_point,
      call.Emit("Cast", {each.zero_point}, {{"to", std::string("FP32")}}, "zero_point"));
  ASSIGN_OR_RETURN(const ValueId centred,
                   call.Emit("Subtract", {values, zero_point}, {}, "centred"));
  ASSIGN_OR_RETURN(const ValueId rounded,
                   call.Emit("Multiply", {centred, each.scale}, {}, "rounded"));
  return call.Result(rounded, each.order);
}

}  // namespace octet::onnx
