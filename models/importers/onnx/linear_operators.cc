// SPDX-License-Identifier: Apache-2.0
// Products with matrices, and tables that are looked up in.

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/status_macros.h"
#include "models/graph/verify.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/matrix_product.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/quantized_operands.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// More pieces than that are no longer a list that somebody wrote.
constexpr std::size_t kMaxPieces = 256;

// x times a constant matrix [k, n], with a bias [n] or none.
absl::StatusOr<Operand> FullyConnected(NodeCall& call, Activation& x, const std::string& name,
                                       const ConstantTensor& weight,
                                       const std::optional<ConstantTensor>& bias,
                                       const std::string& bias_name) {
  ASSIGN_OR_RETURN(const auto form, call.FormWithLastAxis(x));
  std::vector<LayerVariable> variables;
  variables.push_back({"kernel", weight, ""});
  std::vector<ValueId> inputs = {form.second, call.AddConstant(name, weight)};
  if (bias.has_value()) {
    variables.push_back({"bias", *bias, ""});
    inputs.resize(4, kNoValue);
    inputs.push_back(call.AddConstant(bias_name, *bias));
  }
  ASSIGN_OR_RETURN(const ValueId id, call.Emit("FullyConnected", std::move(inputs)));
  call.Record("Dense", name, std::move(variables));
  return call.Result(id, form.first);
}

// A vector as a matrix: one row, or one column.
absl::StatusOr<Operand> AsMatrix(NodeCall& call, const Operand& operand, bool is_row) {
  if (const ConstantTensor* const constant = operand.constant()) {
    const std::int64_t size = constant->dims()[0];
    return Operand{absl::StrCat(operand.name, is_row ? "/row" : "/column"),
                   WithDims(*constant, is_row ? Dims{1, size} : Dims{size, 1})};
  }
  Activation* const activation = operand.activation();
  if (activation == nullptr) return call.Unimplemented("a product with open sizes");
  ASSIGN_OR_RETURN(auto matrix, call.Unsqueeze(*activation, {is_row ? 0U : 1U}));
  return Operand{operand.name, std::move(matrix)};
}

Outputs TranslateMatMul(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  Operand a = call.input(0);
  Operand b = call.input(1);
  if (a.rank() == 0 || b.rank() == 0) return call.Invalid("wants vectors or matrices");
  const bool has_row = a.rank() == 1;
  const bool has_column = b.rank() == 1;
  if (b.quantized() != nullptr) {
    if (has_row) return call.Unimplemented("a vector times a quantized tensor, wants a matrix");
    ASSIGN_OR_RETURN(Operand result, QuantizedProduct(call, a, false, std::nullopt));
    return Single(std::move(result));
  }
  const ConstantTensor* const weight = b.constant();
  if (weight != nullptr && weight->data_type() == DataType::kFloat32 && b.rank() == 2 &&
      a.activation() != nullptr && (!has_row || call.lead() == 1)) {
    ASSIGN_OR_RETURN(Operand result,
                     FullyConnected(call, *a.activation(), b.name, *weight, std::nullopt, ""));
    return Single(std::move(result));
  }
  if (has_row) {
    ASSIGN_OR_RETURN(a, AsMatrix(call, a, true));
  }
  if (has_column) {
    ASSIGN_OR_RETURN(b, AsMatrix(call, b, false));
  }
  ASSIGN_OR_RETURN(Operand result, Product(call, a, b, false, false, ""));
  std::vector<std::size_t> gone;
  const std::size_t rank = result.rank();
  if (has_row) gone.push_back(rank - 2);
  if (has_column) gone.push_back(rank - 1);
  if (!gone.empty()) {
    ASSIGN_OR_RETURN(result.content, call.Squeeze(*result.activation(), gone));
  }
  return Single(std::move(result));
}

ConstantTensor Scaled(const ConstantTensor& constant, float factor) {
  if (factor == 1.0F) return constant;
  std::vector<float> values = FloatElements(constant);
  for (float& value : values) value *= factor;
  return ConstantTensor::Copy(DataType::kFloat32, constant.dims(), values);
}

// The addend of Gemm as a vector over the columns, where it is one.
std::optional<ConstantTensor> ColumnBias(const Operand& addend, std::int64_t columns) {
  const ConstantTensor* const constant = addend.constant();
  if (constant == nullptr || constant->data_type() != DataType::kFloat32) return std::nullopt;
  const std::int64_t count = NumElements(constant->dims());
  if (count == columns && !constant->dims().empty() && constant->dims().back() == columns) {
    return WithDims(*constant, {columns});
  }
  if (count != 1) return std::nullopt;
  return ConstantTensor::Copy(
      DataType::kFloat32, {columns},
      std::vector<float>(static_cast<std::size_t>(columns), FloatElements(*constant)[0]));
}

absl::StatusOr<Operand> TimesBeta(NodeCall& call, const Operand& addend, float beta) {
  if (beta == 1.0F) return addend;
  if (const ConstantTensor* const constant = addend.constant()) {
    return Operand{absl::StrCat(addend.name, "/beta"), Scaled(*constant, beta)};
  }
  return call.Broadcast("Multiply", {addend, NodeCall::Scalar(beta)}, {}, "beta");
}

Outputs TranslateGemm(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 1.0F));
  ASSIGN_OR_RETURN(const float beta, call.Float("beta", 1.0F));
  ASSIGN_OR_RETURN(const std::int64_t transposes_a, call.Int("transA", 0));
  ASSIGN_OR_RETURN(const std::int64_t transposes_b, call.Int("transB", 0));
  if (call.input(0).rank() != 2 || call.input(1).rank() != 2) {
    return call.Invalid("wants two matrices");
  }
  const bool has_addend = call.Has(2) && beta != 0.0F;
  if (call.input(1).quantized() != nullptr) {
    const auto columns = call.input(1).shape()[transposes_b != 0 ? 0 : 1].value();
    std::optional<ConstantTensor> bias;
    if (has_addend) bias = ColumnBias(call.input(2), columns);
    if (transposes_a != 0 || alpha != 1.0F || (has_addend && !bias.has_value())) {
      return call.Unimplemented(
          "a product with a quantized tensor whose first operand is transposed, with alpha, or "
          "with an addend that is no bias");
    }
    if (bias.has_value()) bias = Scaled(*bias, beta);
    ASSIGN_OR_RETURN(Operand result,
                     QuantizedProduct(call, call.input(0), transposes_b != 0, bias));
    return Single(std::move(result));
  }
  const ConstantTensor* const b = call.input(1).constant();
  Activation* const x = call.input(0).activation();
  if (b != nullptr && b->data_type() == DataType::kFloat32 && transposes_a == 0 && x != nullptr) {
    const ConstantTensor weight =
        Scaled(transposes_b != 0 ? TransposeConstant(*b, {1, 0}) : *b, alpha);
    std::optional<ConstantTensor> bias;
    if (has_addend) bias = ColumnBias(call.input(2), weight.dims()[1]);
    if (!has_addend || bias.has_value()) {
      if (bias.has_value()) bias = Scaled(*bias, beta);
      const std::string name = absl::StrCat(call.input(1).name, transposes_b != 0 ? "/kn" : "",
                                            alpha != 1.0F ? absl::StrCat("/x", alpha) : "");
      ASSIGN_OR_RETURN(Operand result, FullyConnected(call, *x, name, weight, bias,
                                                      absl::StrCat(call.name(), "/bias")));
      return Single(std::move(result));
    }
  }
  ASSIGN_OR_RETURN(Operand result, Product(call, call.input(0), call.input(1), transposes_a != 0,
                                           transposes_b != 0, "product"));
  if (alpha != 1.0F) {
    ASSIGN_OR_RETURN(result,
                     call.Broadcast("Multiply", {result, NodeCall::Scalar(alpha)}, {}, "alpha"));
  }
  if (has_addend) {
    ASSIGN_OR_RETURN(Operand addend, TimesBeta(call, call.input(2), beta));
    ASSIGN_OR_RETURN(result, call.Broadcast("Add", {result, std::move(addend)}));
  }
  return Single(std::move(result));
}

// Rows of a constant: an embedding.
absl::StatusOr<Operand> LookUp(NodeCall& call, const ConstantTensor& constant,
                               Activation& indices) {
  const Dims& dims = constant.dims();
  const std::int64_t rows = dims[0];
  const std::int64_t width = NumElements(std::span(dims).subspan(1));
  const bool is_float = constant.data_type() == DataType::kFloat32;
  if (rows < 1 || width < 1) return call.Invalid("looks up in an empty table");
  if (!is_float && BitWidth(constant.data_type()) == 64) {
    for (const std::int64_t number : Int64Elements(constant)) {
      if (number < -(1 << 24) || number > 1 << 24) {
        return call.Unimplemented("looks up integers beyond 2^24");
      }
    }
  }
  if (!is_float && BitWidth(constant.data_type()) == 32) {
    return call.Unimplemented(
        absl::StrCat("looks up elements of type ", DataTypeName(constant.data_type())));
  }
  const ConstantTensor table =
      is_float ? WithDims(constant, {rows, width})
               : FromDoubles(DataType::kFloat32, {rows, width}, DoubleElements(constant));
  auto [order, id] = NodeCall::AnyForm(indices);
  if (indices.type != DataType::kInt32 && indices.type != DataType::kInt64) {
    return call.Invalid("its indices are neither int32 nor int64");
  }
  ASSIGN_OR_RETURN(
      ValueId result,
      call.Emit("Gather", {id, call.AddConstant(absl::StrCat(call.input(0).name, "/table"), table)},
                {{"negative_from_end", std::int64_t{1}}}));
  if (is_float && dims.size() == 2) {
    call.Record("Embedding", call.input(0).name, {{"embeddings", table, ""}});
  } else {
    // The columns become the axes that the table had.
    const std::size_t leading = order.size() + call.lead();
    std::vector<std::int64_t> shape(leading, 0);
    shape.insert(shape.end(), dims.begin() + 1, dims.end());
    ASSIGN_OR_RETURN(
        result, call.graph().Reshape(absl::StrCat(call.name(), "/axes"), result, std::move(shape)));
  }
  const std::size_t first = order.size();
  for (std::size_t i = 1; i < dims.size(); ++i) order.push_back(first + i - 1);
  Operand operand = call.Result(result, order);
  if (is_float) return operand;
  return call.Elementwise("Cast", operand,
                          {{"to", std::string(DataTypeName(constant.data_type()))}}, "cast");
}

// `x` with `axis` of it apart in axes of these sizes.
absl::StatusOr<Operand> SplitAxis(NodeCall& call, const Activation& x, std::size_t axis,
                                  const Dims& sizes) {
  const auto [order, id] = NodeCall::AnyForm(x);
  const std::size_t more = sizes.size() - 1;
  Order apart;
  std::vector<std::int64_t> shape;
  bool is_behind = false;
  bool has_guess = false;
  for (const std::size_t old : order) {
    if (old == axis) {
      for (std::size_t i = 0; i <= more; ++i) apart.push_back(axis + i);
      shape.insert(shape.end(), sizes.begin(), sizes.end());
      is_behind = true;
      continue;
    }
    apart.push_back(old < axis ? old : old + more);
    const Dim& dim = x.shape[old];
    if (is_behind && !dim.is_constant() && has_guess) {
      return call.Unimplemented("a table of indices in front of two open axes");
    }
    has_guess = has_guess || (is_behind && !dim.is_constant());
    shape.push_back(!is_behind ? 0 : dim.is_constant() ? dim.value() : -1);
  }
  ASSIGN_OR_RETURN(const ValueId result, call.Reshape(id, shape, "apart"));
  return call.Result(result, apart);
}

// The elements at constant places of an axis.
absl::StatusOr<Operand> Pick(NodeCall& call, Activation& x, std::size_t axis) {
  ASSIGN_OR_RETURN(const ConstantTensor indices, call.Constant(1, "indices"));
  if (!IsInteger(indices.data_type())) return call.Invalid("its indices are no integers");
  const std::size_t num_axes = x.shape.size() + indices.dims().size();
  if (num_axes + call.lead() > kMaxRank + 1) {
    return call.Unimplemented(absl::StrCat("a tensor of ", num_axes - 1, " dimensions"));
  }
  const std::vector<std::int64_t> numbers = Int64Elements(indices);
  constexpr std::int64_t kFarthest = std::int64_t{1} << 40;
  for (const std::int64_t number : numbers) {
    if (number < -kFarthest || number > kFarthest) {
      return call.Invalid(
          absl::StrCat("index ", number, ", wants ", -kFarthest, " to ", kFarthest));
    }
  }
  const Dim& dim = x.shape[axis];
  const auto [order, id] = NodeCall::AnyForm(x);
  std::vector<ValueId> pieces;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1 && numbers[end] != 0) ++end;
    const std::int64_t first = numbers[i];
    const std::int64_t last = numbers[end - 1];
    if (dim.is_constant() && (first < -dim.value() || last >= dim.value())) {
      return call.Invalid(absl::StrCat("index ", first, " of an axis of ", dim.value()));
    }
    ASSIGN_OR_RETURN(
        const ValueId piece,
        call.Emit(
            "Slice", {id},
            {{"axes", std::vector<std::int64_t>{call.AxisIn(order, axis)}},
             {"starts", std::vector<std::int64_t>{first}},
             {"ends", std::vector<std::int64_t>{last == -1 ? std::int64_t{1} << 60 : last + 1}}},
            end - i == numbers.size() ? "" : absl::StrCat("piece_", pieces.size())));
    pieces.push_back(piece);
    if (pieces.size() > kMaxPieces) return call.Unimplemented("more than 256 pieces of an axis");
    i = end;
  }
  if (pieces.empty()) return call.Unimplemented("an empty result");
  ValueId result = pieces[0];
  if (pieces.size() > 1) {
    ASSIGN_OR_RETURN(result, call.Emit("Concat", pieces, {{"axis", call.AxisIn(order, axis)}}));
  }
  Operand operand = call.Result(result, order);
  if (indices.dims().empty()) {
    ASSIGN_OR_RETURN(operand.content, call.Squeeze(*operand.activation(), {axis}));
  }
  if (indices.dims().size() > 1)
    return SplitAxis(call, *operand.activation(), axis, indices.dims());
  return operand;
}

Outputs TranslateGather(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, call.input(0).rank()));
  if (Activation* const x = call.input(0).activation()) {
    ASSIGN_OR_RETURN(Operand result, Pick(call, *x, axis));
    return Single(std::move(result));
  }
  if (call.input(0).quantized() != nullptr && axis == 0) {
    ASSIGN_OR_RETURN(const auto places, call.ActivationOf(1));
    ASSIGN_OR_RETURN(Operand result, QuantizedLookUp(call, *places));
    return Single(std::move(result));
  }
  ASSIGN_OR_RETURN(const ConstantTensor table, call.Constant(0, "data"));
  ASSIGN_OR_RETURN(const auto indices, call.ActivationOf(1));
  if (axis != 0) return call.Unimplemented("looks up in a constant along an axis that is not 0");
  ASSIGN_OR_RETURN(Operand result, LookUp(call, table, *indices));
  return Single(std::move(result));
}

constexpr std::array kOperators = {
    OperatorEntry{"Gather", TranslateGather},
    OperatorEntry{"Gemm", TranslateGemm},
    OperatorEntry{"MatMul", TranslateMatMul},
};

}  // namespace

absl::StatusOr<Operand> Product(NodeCall& call, Operand a, Operand b, bool transposes_a,
                                bool transposes_b, absl::string_view suffix) {
  const std::size_t rank = std::max(a.rank(), b.rank());
  Order order = PlainOrder(rank);
  for (Operand* const operand : {&a, &b}) {
    Activation* const activation = operand->activation();
    if (activation == nullptr) continue;
    const std::size_t missing = rank - activation->shape.size();
    if (missing > 0) {
      ASSIGN_OR_RETURN(operand->content, call.Unsqueeze(*activation, PlainOrder(missing)));
    }
    // Any order will do that leaves the two matrices alone.
    const Order from = NodeCall::AnyForm(*operand->activation()).first;
    if (from[rank - 1] == rank - 1 && from[rank - 2] == rank - 2) order = from;
  }
  std::vector<ValueId> ids;
  for (const Operand* const operand : {&a, &b}) {
    if (Activation* const activation = operand->activation()) {
      ASSIGN_OR_RETURN(const ValueId id, call.InOrder(*activation, order));
      ids.push_back(id);
      continue;
    }
    if (operand->constant() == nullptr) return call.Unimplemented("a product with open sizes");
    Dims dims = operand->constant()->dims();
    if (!std::is_sorted(order.begin(), order.end()) && dims.size() > 2) {
      return call.Unimplemented("a product with a constant along the batch");
    }
    ids.push_back(call.AddConstant(operand->name, *operand->constant()));
  }
  ASSIGN_OR_RETURN(const ValueId id,
                   call.Emit("MatMul", std::move(ids),
                             {{"transpose_a", std::int64_t{transposes_a ? 1 : 0}},
                              {"transpose_b", std::int64_t{transposes_b ? 1 : 0}}},
                             suffix));
  return call.Result(id, order);
}

std::span<const OperatorEntry> LinearOperators() { return kOperators; }

}  // namespace octet::onnx
