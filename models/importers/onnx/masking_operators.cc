// SPDX-License-Identifier: Apache-2.0
// Parts of matrices, and questions about numbers.

#include <array>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// What is on one side of a diagonal, and zeros.
Outputs TranslateTrilu(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::int64_t upper, call.Int("upper", 1));
  std::int64_t diagonal = 0;
  if (call.Has(1)) {
    ASSIGN_OR_RETURN(const auto given, call.Numbers(1, "k"));
    if (given.size() != 1) return call.Invalid("wants one k");
    diagonal = given[0];
  }
  const std::size_t rank = x->shape.size();
  if (rank < 2) return call.Invalid("wants matrices");
  if (!x->shape[rank - 1].is_constant() || !x->shape[rank - 2].is_constant()) {
    return call.Unimplemented("matrices of an open size");
  }
  const Dims dims = {x->shape[rank - 2].value(), x->shape[rank - 1].value()};
  RETURN_IF_ERROR(ReserveConstant(call, dims));
  std::vector<std::int64_t> keeps;
  for (std::int64_t row = 0; row < dims[0]; ++row) {
    for (std::int64_t column = 0; column < dims[1]; ++column) {
      const std::int64_t offset = column - row;
      keeps.push_back((upper != 0 ? offset >= diagonal : offset <= diagonal) ? 1 : 0);
    }
  }
  const Operand mask = {absl::StrCat(call.name(), "/kept"),
                        FromInt64s(DataType::kBool, dims, keeps)};
  const Operand zero = {absl::StrCat(call.name(), "/zero"), FromInt64s(x->type, {}, {0})};
  ASSIGN_OR_RETURN(Operand result, call.Broadcast("Where", {mask, call.input(0), zero}));
  return Single(std::move(result));
}

Outputs TranslateIsNan(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(Operand result, call.Broadcast("NotEqual", {call.input(0), call.input(0)}));
  return Single(std::move(result));
}

Outputs TranslateIsInf(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const std::int64_t positive, call.Int("detect_positive", 1));
  ASSIGN_OR_RETURN(const std::int64_t negative, call.Int("detect_negative", 1));
  if (positive == 0 && negative == 0) return call.Unimplemented("neither sign is asked for");
  Operand x = call.input(0);
  if (positive != 0 && negative != 0) {
    ASSIGN_OR_RETURN(
        x, call.Elementwise("Activation", x, {{"activation", std::string("abs")}}, "magnitude"));
  }
  const float infinity = std::numeric_limits<float>::infinity();
  const Operand wanted = NodeCall::Scalar(positive != 0 ? infinity : -infinity);
  ASSIGN_OR_RETURN(Operand result, call.Broadcast("Equal", {x, wanted}));
  return Single(std::move(result));
}

constexpr std::array kOperators = {
    OperatorEntry{"IsInf", TranslateIsInf},
    OperatorEntry{"IsNaN", TranslateIsNan},
    OperatorEntry{"Trilu", TranslateTrilu},
};

}  // namespace

std::span<const OperatorEntry> MaskingOperators() { return kOperators; }

}  // namespace octet::onnx
