// SPDX-License-Identifier: Apache-2.0
// Layers that combine several tensors into one.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

// Tensors of fewer dimensions get ones after the batch, as in Keras.
absl::StatusOr<std::vector<ValueId>> EqualRanks(const LayerCall& call) {
  GraphBuilder& graph = call.graph();
  std::vector<ValueId> values;
  std::int64_t rank = 0;
  for (const Operand& input : call.inputs()) {
    ASSIGN_OR_RETURN(values.emplace_back(), call.ToFloat(input.value));
    rank = std::max(rank, graph.Rank(values.back()));
  }
  for (ValueId& value : values) {
    const std::int64_t missing = rank - graph.Rank(value);
    if (missing == 0) continue;
    std::vector<std::int64_t> shape = {0};
    shape.insert(shape.end(), static_cast<std::size_t>(missing), 1);
    for (std::int64_t axis = 1; axis < graph.Rank(value); ++axis) {
      ASSIGN_OR_RETURN(shape.emplace_back(), call.Length(value, axis));
    }
    ASSIGN_OR_RETURN(value, graph.Reshape(call.Name("expand"), value, shape));
  }
  return values;
}

// Keras keeps a mask only where all inputs have one: what any of them keeps.
absl::StatusOr<ValueId> MergedMask(const LayerCall& call) {
  ValueId mask = kNoValue;
  for (const Operand& input : call.inputs()) {
    if (input.mask == kNoValue) return kNoValue;
    if (mask == kNoValue) {
      mask = input.mask;
    } else if (mask != input.mask) {
      ASSIGN_OR_RETURN(mask, call.graph().Emit("Or", call.Name("mask"), {mask, input.mask}));
    }
  }
  return mask;
}

absl::StatusOr<std::vector<Operand>> Fold(LayerCall& call, const char* op) {
  if (call.inputs().size() < 2) return call.Invalid("wants at least two inputs");
  ASSIGN_OR_RETURN(const std::vector<ValueId> values, EqualRanks(call));
  Operand output{values[0], kNoValue};
  for (std::size_t i = 1; i < values.size(); ++i) {
    ASSIGN_OR_RETURN(output.value, call.graph().Emit(op, call.Name(), {output.value, values[i]}));
  }
  ASSIGN_OR_RETURN(output.mask, MergedMask(call));
  return std::vector<Operand>{output};
}

absl::StatusOr<std::vector<Operand>> TranslateAdd(LayerCall& call) { return Fold(call, "Add"); }
absl::StatusOr<std::vector<Operand>> TranslateSubtract(LayerCall& call) {
  return Fold(call, "Subtract");
}
absl::StatusOr<std::vector<Operand>> TranslateMultiply(LayerCall& call) {
  return Fold(call, "Multiply");
}
absl::StatusOr<std::vector<Operand>> TranslateMaximum(LayerCall& call) {
  return Fold(call, "Maximum");
}
absl::StatusOr<std::vector<Operand>> TranslateMinimum(LayerCall& call) {
  return Fold(call, "Minimum");
}

absl::StatusOr<std::vector<Operand>> TranslateAverage(LayerCall& call) {
  ASSIGN_OR_RETURN(std::vector<Operand> outputs, Fold(call, "Add"));
  const auto count = static_cast<float>(call.inputs().size());
  ASSIGN_OR_RETURN(outputs[0].value,
                   call.graph().Emit("Divide", call.Name("average"),
                                     {outputs[0].value, call.graph().AddScalar(count)}));
  return outputs;
}

absl::StatusOr<std::vector<Operand>> TranslateConcatenate(LayerCall& call) {
  if (call.inputs().empty()) return call.Invalid("wants inputs");
  ASSIGN_OR_RETURN(const std::vector<ValueId> values, call.InputsOfOneType());
  bool all_masked = true;
  bool any_masked = false;
  for (const Operand& input : call.inputs()) {
    all_masked = all_masked && input.mask != kNoValue;
    any_masked = any_masked || input.mask != kNoValue;
  }
  GraphBuilder& graph = call.graph();
  ASSIGN_OR_RETURN(std::int64_t axis, call.config().Int("axis", -1));
  const std::int64_t rank = graph.Rank(values[0]);
  if (axis < 0) axis += rank;
  Operand output;
  ASSIGN_OR_RETURN(output.value, graph.Emit("Concat", call.Name(), values, {{"axis", axis}}));
  // Along the last axis a step is kept if any input keeps it; an input without a mask keeps all.
  if (all_masked && axis == rank - 1) {
    ASSIGN_OR_RETURN(output.mask, MergedMask(call));
  } else if (any_masked && axis != rank - 1) {
    if (!all_masked) return call.Unimplemented("masked and other sequences cannot be concatenated");
    std::vector<ValueId> masks;
    for (const Operand& input : call.inputs()) masks.push_back(input.mask);
    ASSIGN_OR_RETURN(output.mask, graph.Emit("Concat", call.Name("mask"), masks, {{"axis", axis}}));
  }
  return std::vector<Operand>{output};
}

// `value` with `axis` of its two inner axes last (or first), as a matrix product wants it.
absl::StatusOr<std::vector<Operand>> TranslateDot(LayerCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2));
  ASSIGN_OR_RETURN(ValueId a, call.ToFloat(call.inputs()[0].value));
  ASSIGN_OR_RETURN(ValueId b, call.ToFloat(call.inputs()[1].value));
  GraphBuilder& graph = call.graph();
  ASSIGN_OR_RETURN(std::vector<std::int64_t> axes, call.config().Ints("axes", 2));
  ASSIGN_OR_RETURN(const bool normalize, call.config().Bool("normalize", false));
  const std::int64_t rank_a = graph.Rank(a);
  const std::int64_t rank_b = graph.Rank(b);
  if (axes[0] < 0) axes[0] += rank_a;
  if (axes[1] < 0) axes[1] += rank_b;
  if (normalize) {
    ASSIGN_OR_RETURN(
        a, graph.Emit("UnitNormalization", call.Name("normalize_a"), {a}, {{"axis", axes[0]}}));
    ASSIGN_OR_RETURN(
        b, graph.Emit("UnitNormalization", call.Name("normalize_b"), {b}, {{"axis", axes[1]}}));
  }
  if (rank_a < 2 || rank_a > 3 || rank_b < 2 || rank_b > 3 || axes[0] < 1 || axes[1] < 1 ||
      axes[0] >= rank_a || axes[1] >= rank_b) {
    return call.Unimplemented("only tensors of 2 or 3 dimensions can be multiplied");
  }
  // Vectors are matrices of one row or column.
  if (rank_a == 2) {
    ASSIGN_OR_RETURN(const std::int64_t length, call.Length(a, 1));
    ASSIGN_OR_RETURN(a, graph.Reshape(call.Name("row"), a, {0, 1, length}));
  }
  if (rank_b == 2) {
    ASSIGN_OR_RETURN(const std::int64_t length, call.Length(b, 1));
    ASSIGN_OR_RETURN(b, graph.Reshape(call.Name("column"), b, {0, length, 1}));
  }
  const std::int64_t transpose_a = rank_a == 3 && axes[0] == 1 ? 1 : 0;
  const std::int64_t transpose_b = rank_b == 3 && axes[1] == 2 ? 1 : 0;
  ASSIGN_OR_RETURN(ValueId output,
                   graph.Emit("MatMul", call.Name(), {a, b},
                              {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}}));
  if (rank_a == 2 && rank_b == 2) {
    ASSIGN_OR_RETURN(output, graph.Reshape(call.Name("vector"), output, {0, 1}));
  } else if (rank_a == 2 || rank_b == 2) {
    ASSIGN_OR_RETURN(output, graph.Reshape(call.Name("vector"), output, {0, -1}));
  }
  return Single(output);
}

}  // namespace

void AddMergeLayers(LayerRegistry& registry) {
  registry.Add({"Add", TranslateAdd, MaskRule::kTranslator});
  registry.Add({"Average", TranslateAverage, MaskRule::kTranslator});
  registry.Add({"Concatenate", TranslateConcatenate, MaskRule::kTranslator});
  registry.Add({"Dot", TranslateDot});
  registry.Add({"Maximum", TranslateMaximum, MaskRule::kTranslator});
  registry.Add({"Minimum", TranslateMinimum, MaskRule::kTranslator});
  registry.Add({"Multiply", TranslateMultiply, MaskRule::kTranslator});
  registry.Add({"Subtract", TranslateSubtract, MaskRule::kTranslator});
}

}  // namespace octet::keras
