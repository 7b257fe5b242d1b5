// SPDX-License-Identifier: Apache-2.0
// Attention: MultiHeadAttention, GroupedQueryAttention and Attention.

#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/einsum_dense.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

// `mask` as bool [N, 1, T, S], with ones where it has fewer dimensions. `by_query`: a mask of two
// dimensions is of the queries [N, T], else of the keys [N, S].
absl::StatusOr<ValueId> ToScoreMask(const LayerCall& call, ValueId mask, bool by_query) {
  GraphBuilder& graph = call.graph();
  if (graph.TypeOf(mask).data_type != DataType::kBool) {
    ASSIGN_OR_RETURN(mask, call.ToFloat(mask));
    ASSIGN_OR_RETURN(mask,
                     graph.Emit("NotEqual", call.Name("mask_bool"), {mask, graph.AddScalar(0.0F)}));
  }
  const std::int64_t rank = graph.Rank(mask);
  if (rank == 4) return mask;
  if (rank != 2 && rank != 3) return call.Invalid("mask: wants 2 to 4 dimensions");
  // The ones are put last and moved, so that an open length stays where it is for the reshape.
  std::vector<std::int64_t> shape(4, 1);
  for (std::int64_t i = 0; i < rank; ++i) shape[static_cast<std::size_t>(i)] = 0;
  ASSIGN_OR_RETURN(mask, graph.Reshape(call.Name("mask_rank"), mask, shape));
  std::vector<std::int64_t> permutation = {0, 3, 1, 2};
  if (rank == 2 && !by_query) permutation = {0, 2, 3, 1};
  return graph.Transpose(call.Name("mask_axes"), mask, permutation);
}

// The and of all masks that are there.
class ScoreMask {
 public:
  explicit ScoreMask(const LayerCall& call) : call_(call) {}

  absl::Status Add(ValueId mask, bool by_query) {
    if (mask == kNoValue) return absl::OkStatus();
    ASSIGN_OR_RETURN(mask, ToScoreMask(call_, mask, by_query));
    if (mask_ != kNoValue) {
      ASSIGN_OR_RETURN(mask, call_.graph().Emit("And", call_.Name("mask"), {mask_, mask}));
    }
    mask_ = mask;
    return absl::OkStatus();
  }
  [[nodiscard]] ValueId value() const { return mask_; }

 private:
  const LayerCall& call_;
  ValueId mask_ = kNoValue;
};

bool IsTrue(const Argument* argument) {
  return argument != nullptr && argument->literal.is_boolean() && argument->literal.get<bool>();
}

// Query, value and key of a call, with their masks.
struct AttentionInputs {
  Operand query;
  Operand value;
  Operand key;
};

ValueId MaskArgument(const LayerCall& call, const char* keyword, ValueId fallback) {
  const Argument* const given = call.Keyword(keyword);
  return given != nullptr && given->tensor.has_value() ? given->tensor->value : fallback;
}

absl::StatusOr<AttentionInputs> HeadInputs(const LayerCall& call) {
  const Argument* const query = call.Find(0, "query");
  const Argument* const value = call.Find(1, "value");
  const Argument* const key = call.Find(2, "key");
  if (query == nullptr || !query->tensor.has_value() || value == nullptr ||
      !value->tensor.has_value() || (key != nullptr && !key->tensor.has_value())) {
    return call.Invalid("wants the tensors query and value, and maybe key");
  }
  AttentionInputs inputs{*query->tensor, *value->tensor, *value->tensor};
  inputs.key.mask = kNoValue;
  if (key != nullptr) inputs.key = *key->tensor;
  for (Operand* const operand : {&inputs.query, &inputs.value, &inputs.key}) {
    ASSIGN_OR_RETURN(operand->value, call.ToFloat(operand->value));
  }
  inputs.query.mask = MaskArgument(call, "query_mask", inputs.query.mask);
  inputs.value.mask = MaskArgument(call, "value_mask", inputs.value.mask);
  inputs.key.mask = MaskArgument(call, "key_mask", inputs.key.mask);
  return inputs;
}

// The projections of one attention layer.
class Heads {
 public:
  explicit Heads(const LayerCall& call) : call_(call) {}

  // One projection. `part` is its name in Keras, `attribute` where the file keeps it.
  absl::StatusOr<ValueId> Project(const std::string& part, const std::string& attribute,
                                  const std::string& equation, const std::string& bias_axes,
                                  Dims output_dims, ValueId input,
                                  const ActivationFunction& activation = {}) const {
    const KerasLayer& layer = call_.layer();
    const std::string path = call_.Name(part);
    // The layers inside have no policies of their own in the file; those that Keras's bug made
    // float may be quantized.
    EinsumDenseSpec spec{equation, UsesBias() ? bias_axes : "", std::move(output_dims), activation,
                         ProjectionSource{.sub = attribute,
                                          .path = path,
                                          .layer_class = "EinsumDense",
                                          .policy = layer.policy,
                                          .config = layer.config,
                                          .infer_mode = true,
                                          .kernel_dims = {},
                                          .contracted_axes = {},
                                          .free_axes = {}}};
    const std::string private_name = absl::StrCat("_", attribute);
    ASSIGN_OR_RETURN(const bool is_private, call_.translation().weights.HasGroup(
                                                absl::StrCat(layer.group, "/", private_name)));
    if (is_private) spec.source.sub = private_name;
    return EmitEinsumDense(call_, path, input, std::move(spec));
  }

 private:
  [[nodiscard]] bool UsesBias() const {
    const Json& use_bias = call_.config().Get("use_bias");
    return !use_bias.is_boolean() || use_bias.get<bool>();
  }

  const LayerCall& call_;
};

struct HeadShape {
  std::int64_t query_heads = 0;
  std::int64_t key_value_heads = 0;
  std::int64_t key_dim = 0;
  std::int64_t value_dim = 0;
};

absl::StatusOr<ValueId> CombinedMask(const LayerCall& call, const AttentionInputs& inputs) {
  ScoreMask mask(call);
  RETURN_IF_ERROR(mask.Add(inputs.query.mask, true));
  RETURN_IF_ERROR(mask.Add(inputs.value.mask, false));
  RETURN_IF_ERROR(mask.Add(inputs.key.mask, false));
  const Argument* given = call.Keyword("attention_mask");
  if (given != nullptr) {
    if (!given->tensor.has_value()) return call.Unimplemented("attention_mask: wants a tensor");
    RETURN_IF_ERROR(mask.Add(given->tensor->value, true));
  }
  return mask.value();
}

// What MultiHeadAttention and GroupedQueryAttention have in common; they differ in the number of
// heads of keys and values.
absl::StatusOr<std::vector<Operand>> EmitHeads(const LayerCall& call, const HeadShape& shape,
                                               Dims output_dims) {
  if (IsTrue(call.Keyword("return_attention_scores"))) {
    return call.Unimplemented("return_attention_scores cannot be imported");
  }
  if (call.config().Has("sliding_window")) {
    return call.config().Unimplemented("sliding_window", "null");
  }
  ASSIGN_OR_RETURN(const AttentionInputs inputs, HeadInputs(call));
  GraphBuilder& graph = call.graph();
  for (const Operand& operand : {inputs.query, inputs.value, inputs.key}) {
    if (graph.Rank(operand.value) != 3) {
      return call.Unimplemented("only sequences [rows, length, channels] can be imported");
    }
  }
  ASSIGN_OR_RETURN(const ValueId mask, CombinedMask(call, inputs));
  const Heads heads(call);
  const Dims query_dims = {shape.query_heads, shape.key_dim};
  ASSIGN_OR_RETURN(const ValueId query, heads.Project("query", "query_dense", "abc,cde->abde", "de",
                                                      query_dims, inputs.query.value));
  ASSIGN_OR_RETURN(const ValueId key,
                   heads.Project("key", "key_dense", "abc,cde->abde", "de",
                                 {shape.key_value_heads, shape.key_dim}, inputs.key.value));
  ASSIGN_OR_RETURN(const ValueId value,
                   heads.Project("value", "value_dense", "abc,cde->abde", "de",
                                 {shape.key_value_heads, shape.value_dim}, inputs.value.value));
  const std::int64_t causal = IsTrue(call.Keyword("use_causal_mask")) ? 1 : 0;
  const double scale = 1.0 / std::sqrt(static_cast<double>(shape.key_dim));
  Attributes attributes = {{"scale", scale}, {"causal", causal}};
  // A layer that could drop scores computes its softmax another way, without training, too.
  ASSIGN_OR_RETURN(const double dropout, call.config().Float("dropout", 0.0));
  if (dropout > 0.0) attributes["zero_masked_rows"] = std::int64_t{1};
  ASSIGN_OR_RETURN(ValueId output, graph.Emit("Attention", call.Name(), {query, key, value, mask},
                                              std::move(attributes)));
  ASSIGN_OR_RETURN(const bool use_gate, call.config().Bool("use_gate", false));
  if (use_gate) {
    ASSIGN_OR_RETURN(const ValueId gate,
                     heads.Project("gate", "gate_dense", "abc,cde->abde", "de",
                                   {shape.query_heads, shape.value_dim}, inputs.query.value,
                                   ActivationFunction{"sigmoid", {}}));
    ASSIGN_OR_RETURN(output, graph.Emit("Multiply", call.Name("gated"), {output, gate}));
  }
  if (output_dims.empty()) {
    ASSIGN_OR_RETURN(output_dims.emplace_back(), call.Length(inputs.query.value, 2));
  }
  if (output_dims.size() != 1) return call.config().Unimplemented("output_shape", "one length");
  ASSIGN_OR_RETURN(output, heads.Project("attention_output", "output_dense", "abcd,cde->abe", "e",
                                         std::move(output_dims), output));
  return std::vector<Operand>{{output, inputs.query.mask}};
}

absl::StatusOr<std::vector<Operand>> TranslateMultiHeadAttention(LayerCall& call) {
  HeadShape shape;
  ASSIGN_OR_RETURN(shape.query_heads, call.config().Int("num_heads"));
  shape.key_value_heads = shape.query_heads;
  ASSIGN_OR_RETURN(shape.key_dim, call.config().Int("key_dim"));
  ASSIGN_OR_RETURN(shape.value_dim, call.config().Int("value_dim", shape.key_dim));
  if (shape.key_dim < 1) return call.config().Error("key_dim", "a length of at least 1");
  if (call.config().Has("attention_axes")) {
    ASSIGN_OR_RETURN(const auto axes, call.config().Ints("attention_axes"));
    if (axes != std::vector<std::int64_t>{1}) {
      return call.config().Unimplemented("attention_axes", "(1,)");
    }
  }
  Dims output_dims;
  if (call.config().Has("output_shape")) {
    ASSIGN_OR_RETURN(output_dims, call.config().Ints("output_shape"));
  }
  ASSIGN_OR_RETURN(std::vector<Operand> outputs, EmitHeads(call, shape, std::move(output_dims)));
  // Keras takes the masks off the tensors themselves: layers that run later see none.
  constexpr std::array<const char*, 3> kNames = {"query", "value", "key"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const Argument* const given = call.Find(i, kNames[i]);
    if (given != nullptr && given->tensor.has_value()) {
      call.translation().unmasked.insert(given->tensor->value);
    }
  }
  return outputs;
}

absl::StatusOr<std::vector<Operand>> TranslateGroupedQueryAttention(LayerCall& call) {
  HeadShape shape;
  ASSIGN_OR_RETURN(shape.query_heads, call.config().Int("num_query_heads"));
  ASSIGN_OR_RETURN(shape.key_value_heads, call.config().Int("num_key_value_heads"));
  ASSIGN_OR_RETURN(shape.key_dim, call.config().Int("head_dim"));
  if (shape.key_dim < 1) return call.config().Error("head_dim", "a length of at least 1");
  shape.value_dim = shape.key_dim;
  return EmitHeads(call, shape, {});
}

// Luong's attention: one head, no projections.
absl::StatusOr<std::vector<Operand>> TranslateAttention(LayerCall& call) {
  if (call.inputs().size() < 2 || call.inputs().size() > 3) {
    return call.Invalid("wants the inputs [query, value] or [query, value, key]");
  }
  if (IsTrue(call.Keyword("return_attention_scores"))) {
    return call.Unimplemented("return_attention_scores cannot be imported");
  }
  ASSIGN_OR_RETURN(const std::string score_mode, call.config().String("score_mode", "dot"));
  if (score_mode != "dot") return call.config().Unimplemented("score_mode", "dot");
  ASSIGN_OR_RETURN(const bool use_scale, call.config().Bool("use_scale", false));
  if (use_scale) return call.config().Unimplemented("use_scale", "false");
  GraphBuilder& graph = call.graph();
  std::vector<Operand> inputs = call.inputs();
  if (inputs.size() == 2) inputs.push_back(inputs[1]);
  if (const Argument* const given = call.Keyword("mask");
      given != nullptr && given->list.has_value()) {
    for (std::size_t i = 0; i < std::min<std::size_t>(given->list->size(), 2); ++i) {
      const Argument& element = (*given->list)[i];
      if (element.tensor.has_value()) inputs[i].mask = element.tensor->value;
    }
  }
  for (Operand& input : inputs) {
    ASSIGN_OR_RETURN(input.value, call.ToFloat(input.value));
    if (graph.Rank(input.value) != 3) return call.Unimplemented("only sequences can be imported");
    ASSIGN_OR_RETURN(const std::int64_t width, call.Length(input.value, 2));
    ASSIGN_OR_RETURN(input.value,
                     graph.Reshape(call.Name("one_head"), input.value, {0, 0, 1, width}));
  }
  ScoreMask mask(call);
  RETURN_IF_ERROR(mask.Add(inputs[1].mask, false));
  const std::int64_t causal = IsTrue(call.Keyword("use_causal_mask")) ? 1 : 0;
  ASSIGN_OR_RETURN(ValueId output,
                   graph.Emit("Attention", call.Name(),
                              {inputs[0].value, inputs[2].value, inputs[1].value, mask.value()},
                              {{"scale", 1.0}, {"causal", causal}}));
  ASSIGN_OR_RETURN(const std::int64_t width, call.Length(output, 3));
  ASSIGN_OR_RETURN(output, graph.Reshape(call.Name("sequence"), output, {0, 0, width}));
  if (inputs[0].mask != kNoValue) {
    ASSIGN_OR_RETURN(const ValueId column,
                     graph.Reshape(call.Name("query_mask"), inputs[0].mask, {0, 0, 1}));
    ASSIGN_OR_RETURN(
        output, graph.Emit("Where", call.Name("masked"), {column, output, graph.AddScalar(0.0F)}));
  }
  return std::vector<Operand>{{output, inputs[0].mask}};
}

}  // namespace

void AddAttentionLayers(LayerRegistry& registry) {
  registry.Add({"Attention", TranslateAttention, MaskRule::kTranslator});
  registry.Add({"GroupQueryAttention", TranslateGroupedQueryAttention, MaskRule::kTranslator});
  registry.Add({"GroupedQueryAttention", TranslateGroupedQueryAttention, MaskRule::kTranslator});
  registry.Add({"MultiHeadAttention", TranslateMultiHeadAttention, MaskRule::kTranslator});
}

}  // namespace octet::keras
