// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/quantized_operands.h"

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/importers/onnx/constant_movement.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/quantized_rows.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Rows = RowsQuantization::Kind;

bool IsQuantized(const Operand& operand) { return operand.quantized() != nullptr; }

// Whether the node is translated with its quantized operand where that is.
bool TakesQuantized(const NodeCall& call) {
  const std::string& op = call.node().op_type;
  std::size_t place = call.num_inputs();
  if (op == "MatMul" || op == "Gemm") place = 1;
  if (op == "Gather" && call.num_inputs() == 2 && call.input(1).constant() == nullptr) place = 0;
  for (std::size_t i = 0; i < call.num_inputs(); ++i) {
    if (IsQuantized(call.input(i)) && i != place) return false;
  }
  return true;
}

// Scales as a product takes them: of each column, or of each group of rows and column.
struct ColumnScales {
  std::int64_t group_size = 0;
  Dims dims;
  std::vector<float> scale;
  std::vector<std::int8_t> zero_point;  // empty: all 0
};

ColumnScales ColumnScalesOf(const QuantizedConstant& matrix) {
  const std::int64_t k = matrix.data.dims()[0];
  const std::int64_t n = matrix.data.dims()[1];
  const std::int64_t groups = matrix.scale.dims()[0];
  const std::int64_t blocks = matrix.scale.dims()[1];
  ColumnScales columns;
  columns.group_size = groups == 1 ? 0 : k / groups;
  columns.dims = groups == 1 ? Dims{n} : Dims{groups, n};
  for (std::int64_t group = 0; group < groups; ++group) {
    for (std::int64_t column = 0; column < n; ++column) {
      const auto at = static_cast<std::size_t>(group * blocks + column / (n / blocks));
      columns.scale.push_back(matrix.scale.as<float>()[at]);
      if (!matrix.zero_point.has_value()) continue;
      columns.zero_point.push_back(matrix.zero_point->as<std::int8_t>()[at]);
    }
  }
  return columns;
}

// x times what the constant wants its rows multiplied with.
absl::StatusOr<Operand> TimesRowFactor(NodeCall& call, const Operand& x,
                                       const QuantizedConstant& matrix, std::int64_t k) {
  if (!matrix.row_factor.has_value()) return x;
  const std::int64_t count = NumElements(matrix.row_factor->dims());
  if (count != 1 && count != k) {
    return call.Invalid(
        absl::StrCat("rows are multiplied with ", count, " factors, wants 1 or ", k));
  }
  const Operand factor{absl::StrCat(call.input(1).name, "/row_factor"),
                       WithDims(*matrix.row_factor, {count})};
  return call.Broadcast("Multiply", {x, factor}, {}, "scaled");
}

QuantizedConstant Transposed(const QuantizedConstant& matrix) {
  const Dims& dims = matrix.data.dims();
  std::vector<std::int64_t> from;
  from.reserve(static_cast<std::size_t>(NumElements(dims)));
  for (std::int64_t column = 0; column < dims[1]; ++column) {
    for (std::int64_t row = 0; row < dims[0]; ++row) from.push_back(row * dims[1] + column);
  }
  return Moved(matrix, {dims[1], dims[0]}, from);
}

// The layer that multiplies rows of floats, or quantizes them itself: kNone or kSymmetric. Scales
// of `group_size` rows each, where that is not 0.
absl::StatusOr<Operand> OneLayer(NodeCall& call, Activation& x, const ColumnQuantizedMatrix& weight,
                                 std::int64_t group_size, const RowsQuantization& rows) {
  ASSIGN_OR_RETURN(const auto form, call.FormWithLastAxis(x));
  const std::string base = absl::StrCat(call.name(), "/kernel");
  std::vector<LayerVariable> variables = {{"kernel", weight.data, ""}};
  std::vector<ValueId> inputs = {form.second, call.AddConstant(base, weight.data),
                                 call.AddConstant(absl::StrCat(base, "_scale"), weight.scale),
                                 kNoValue, kNoValue};
  if (weight.bias.has_value()) {
    variables.push_back({"bias", *weight.bias, ""});
    inputs[4] = call.AddConstant(absl::StrCat(call.name(), "/bias"), *weight.bias);
  }
  variables.push_back({"kernel_scale", weight.scale, "multiply"});
  if (weight.zero_point.has_value()) {
    variables.push_back({"kernel_zero_point", *weight.zero_point, ""});
    inputs[3] = call.AddConstant(absl::StrCat(base, "_zero_point"), *weight.zero_point);
  }
  Attributes attributes = {{"scale_convention", std::string("multiply")}};
  if (group_size != 0) attributes["group_size"] = group_size;
  if (rows.kind == Rows::kSymmetric) {
    attributes["activation_quantization"] = std::string("dynamic");
    attributes["dynamic_scale"] = std::string("half_steps");
    attributes["dynamic_epsilon"] = double{rows.epsilon};
  }
  ASSIGN_OR_RETURN(const ValueId id,
                   call.Emit("FullyConnected", std::move(inputs), std::move(attributes)));
  call.Record("Linear", weight.name, std::move(variables),
              group_size != 0 ? "int8_grouped" : "int8");
  return call.Result(id, form.first);
}

}  // namespace

absl::StatusOr<FoldedOutputs> FoldQuantized(NodeCall& call) {
  const auto found = std::find_if(call.inputs().begin(), call.inputs().end(), IsQuantized);
  if (found == call.inputs().end()) return FoldedOutputs();
  const QuantizedConstant& constant = *found->quantized();
  if (call.node().domain.empty() && TakesQuantized(call)) return FoldedOutputs();
  const bool is_first = found == call.inputs().begin();
  const bool is_alone = std::count_if(call.inputs().begin(), call.inputs().end(), IsQuantized) == 1;
  if (call.node().domain.empty() && call.node().op_type == "Identity") {
    return FoldedOutputs(std::vector<Operand>{*found});
  }
  if (!call.node().domain.empty() || !MovesElements(call) || !is_first || !is_alone ||
      call.node().op_type == "Concat") {
    return call.Unimplemented(absl::StrCat(
        "takes ", Quoted(found->name),
        ", a quantized tensor, which only MatMul and Gemm as their "
        "second operand, Gather as its first, and operators that move elements can take"));
  }
  RETURN_IF_ERROR(ReserveConstant(call, constant.data.dims()));
  ASSIGN_OR_RETURN(std::vector<Movement> movements, MovementsOf(call, {constant.data.dims()}));
  std::vector<Operand> outputs;
  for (Movement& movement : movements) {
    const auto limit = static_cast<std::int64_t>(movement.dims.size());
    if (limit == 0 || NumElements(movement.dims) < 1) {
      return call.Unimplemented(absl::StrCat("makes ", ToString(movement.dims),
                                             " of the quantized tensor ", Quoted(found->name),
                                             ", wants at least one axis and one element"));
    }
    RETURN_IF_ERROR(ReserveConstant(call, movement.dims));
    outputs.push_back({found->name, Moved(constant, std::move(movement.dims), movement.from)});
  }
  return FoldedOutputs(std::move(outputs));
}

absl::StatusOr<Operand> QuantizedProduct(NodeCall& call, const Operand& x, bool transposes,
                                         const std::optional<ConstantTensor>& bias) {
  QuantizedConstant matrix = *call.input(1).quantized();
  if (matrix.data.dims().size() != 2) {
    return call.Unimplemented(absl::StrCat("a product with the quantized tensor ",
                                           Quoted(call.input(1).name), " of ",
                                           ToString(matrix.data.dims()), ", wants a matrix"));
  }
  if (transposes) matrix = Transposed(matrix);
  const std::int64_t k = matrix.data.dims()[0];
  const ColumnScales columns = ColumnScalesOf(matrix);
  const Rows rows = matrix.rows.kind;
  const bool takes_groups = rows == Rows::kNone || rows == Rows::kAsymmetric;
  if (columns.group_size == 1 || (!takes_groups && columns.group_size != 0)) {
    return call.Unimplemented(absl::StrCat("the scales of ", Quoted(call.input(1).name),
                                           " run along the axis that the product sums up"));
  }
  ASSIGN_OR_RETURN(Operand factors, TimesRowFactor(call, x, matrix, k));
  if (factors.activation() == nullptr) return call.Unimplemented("a product of constants");
  ColumnQuantizedMatrix weight = {
      .name = call.input(1).name,
      .data = matrix.data,
      .scale = ConstantTensor::Copy(DataType::kFloat32, columns.dims, columns.scale),
      .zero_point = std::nullopt,
      .bias = bias};
  if (!columns.zero_point.empty()) {
    weight.zero_point = ConstantTensor::Copy(DataType::kInt8, columns.dims, columns.zero_point);
  }
  const bool is_one_layer =
      rows == Rows::kNone || (rows == Rows::kSymmetric && matrix.rows.steps == 255);
  if (!is_one_layer && columns.group_size == 0) {
    return ProductOfQuantizedRows(call, factors, matrix.rows, weight);
  }
  if (!is_one_layer) {
    // PyTorch's own sums are of floats here.
    ASSIGN_OR_RETURN(factors, RoundedRows(call, factors, matrix.rows));
  }
  return OneLayer(call, *factors.activation(), weight, columns.group_size,
                  is_one_layer ? matrix.rows : RowsQuantization());
}

absl::StatusOr<Operand> QuantizedLookUp(NodeCall& call, Activation& indices) {
  const QuantizedConstant& table = *call.input(0).quantized();
  if (table.data.dims().size() != 2) return call.Unimplemented("a quantized table of no rows");
  const std::int64_t rows = table.data.dims()[0];
  const std::int64_t row_blocks = table.scale.dims()[0];
  const std::int64_t groups = table.scale.dims()[1];
  std::vector<float> scale;
  std::vector<std::int8_t> zero_point;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t group = 0; group < groups; ++group) {
      const auto at = static_cast<std::size_t>(row / (rows / row_blocks) * groups + group);
      scale.push_back(table.scale.as<float>()[at]);
      if (!table.zero_point.has_value()) continue;
      zero_point.push_back(table.zero_point->as<std::int8_t>()[at]);
    }
  }
  if (indices.type != DataType::kInt32 && indices.type != DataType::kInt64) {
    return call.Invalid("its indices are neither int32 nor int64");
  }
  const Dims dims = groups == 1 ? Dims{rows} : Dims{rows, groups};
  const std::string base = absl::StrCat(call.input(0).name, "/table");
  auto [order, id] = NodeCall::AnyForm(indices);
  std::vector<ValueId> inputs = {
      id, call.AddConstant(base, table.data),
      call.AddConstant(absl::StrCat(base, "_scale"),
                       ConstantTensor::Copy(DataType::kFloat32, dims, scale))};
  if (!zero_point.empty()) {
    inputs.push_back(call.AddConstant(absl::StrCat(base, "_zero_point"),
                                      ConstantTensor::Copy(DataType::kInt8, dims, zero_point)));
  }
  Attributes attributes = {{"negative_from_end", std::int64_t{1}},
                           {"scale_convention", std::string("multiply")}};
  if (groups != 1) attributes["group_size"] = table.data.dims()[1] / groups;
  ASSIGN_OR_RETURN(const ValueId result,
                   call.Emit("Gather", std::move(inputs), std::move(attributes)));
  order.push_back(order.size());
  return call.Result(result, order);
}

}  // namespace octet::onnx
