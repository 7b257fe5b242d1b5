// SPDX-License-Identifier: Apache-2.0
// What ONNX Runtime's optimizers make of transformers (com.microsoft): most are other operators in
// one, and are taken apart again; the runtime fuses as it sees fit.

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/importers/onnx/block_weights.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/integer_products.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/quantized_activation.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

absl::StatusOr<Operand> One(NodeCall& call, absl::string_view op,
                            const std::vector<Operand>& inputs,
                            const std::vector<AttributeProto>& attributes = {},
                            absl::string_view suffix = "") {
  ASSIGN_OR_RETURN(std::vector<Operand> outputs, call.As(op, inputs, attributes, suffix));
  Operand output = std::move(outputs.at(0));
  if (output.name.empty()) output.name = absl::StrCat(call.name(), "/", suffix);
  return output;
}

Outputs Gelu(NodeCall& call, bool is_tanh) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  Operand x = call.input(0);
  if (call.Has(1)) {
    ASSIGN_OR_RETURN(x, One(call, "Add", {x, call.input(1)}, {}, "bias"));
  }
  AttributeProto approximate;
  approximate.name = "approximate";
  approximate.type = kStringType;
  approximate.s = is_tanh ? "tanh" : "none";
  return call.As("Gelu", {x}, {approximate}, "");
}
Outputs TranslateGelu(NodeCall& call) { return Gelu(call, false); }
Outputs TranslateFastGelu(NodeCall& call) { return Gelu(call, true); }

Outputs TranslateQuickGelu(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 1.702F));
  return call.As("Swish", {call.input(0)}, {FloatAttributeOf("alpha", alpha)}, "");
}

// What a fused operator does with its result.
Outputs Activated(NodeCall& call, Operand value, const std::vector<float>& parameters) {
  ASSIGN_OR_RETURN(const std::string kind, call.String("activation", ""));
  if (kind.empty()) return Single(std::move(value));
  const auto parameter = [&](std::size_t i, float fallback) {
    return i < parameters.size() ? parameters[i] : fallback;
  };
  if (kind == "Relu" || kind == "Tanh" || kind == "Sigmoid") return call.As(kind, {value}, {}, "");
  if (kind == "LeakyRelu") {
    return call.As(kind, {value}, {FloatAttributeOf("alpha", parameter(0, 0.01F))}, "");
  }
  if (kind == "HardSigmoid") {
    return call.As(kind, {value},
                   {FloatAttributeOf("alpha", parameter(0, 0.2F)),
                    FloatAttributeOf("beta", parameter(1, 0.5F))},
                   "");
  }
  if (kind != "Clip" || parameters.size() != 2) {
    return call.Unimplemented(absl::StrCat("activation ", kind));
  }
  ASSIGN_OR_RETURN(value, One(call, "Max", {value, NodeCall::Scalar(parameters[0])}, {}, "least"));
  return call.As("Min", {value, NodeCall::Scalar(parameters[1])}, {}, "");
}

Outputs TranslateFusedConv(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 4));
  std::vector<Operand> inputs = {call.input(0), call.input(1)};
  if (call.Has(2)) inputs.push_back(call.input(2));
  const std::vector<AttributeProto> attributes =
      call.AttributesNamed({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
  ASSIGN_OR_RETURN(Operand value, One(call, "Conv", inputs, attributes, "convolution"));
  if (call.Has(3)) {
    ASSIGN_OR_RETURN(value, One(call, "Add", {value, call.input(3)}, {}, "sum"));
  }
  ASSIGN_OR_RETURN(const std::vector<float> parameters, call.Floats("activation_params"));
  return Activated(call, std::move(value), parameters);
}

Outputs TranslateFusedGemm(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  ASSIGN_OR_RETURN(Operand value,
                   One(call, "Gemm", call.inputs(),
                       call.AttributesNamed({"alpha", "beta", "transA", "transB"}), "product"));
  std::vector<float> parameters;
  for (const std::string key : {"activation_alpha", "activation_beta"}) {
    if (!call.HasAttribute(key)) break;
    ASSIGN_OR_RETURN(const float parameter, call.Float(key, 0.0F));
    parameters.push_back(parameter);
  }
  call.Ignore("activation_gamma");
  return Activated(call, std::move(value), parameters);
}

// `x` with its last two axes exchanged.
absl::StatusOr<Operand> Transposed(NodeCall& call, const Operand& x, absl::string_view suffix) {
  if (x.rank() < 2) return x;
  std::vector<std::int64_t> order;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    order.push_back(static_cast<std::int64_t>(axis));
  }
  std::swap(order[x.rank() - 1], order[x.rank() - 2]);
  return One(call, "Transpose", {x}, {IntsAttributeOf("perm", std::move(order))}, suffix);
}

Outputs TranslateFusedMatMul(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 1.0F));
  std::vector<Operand> operands = {call.input(0), call.input(1)};
  for (const std::size_t side : {0U, 1U}) {
    const std::string name = side == 0 ? "A" : "B";
    ASSIGN_OR_RETURN(const std::int64_t is_transposed, call.Int(absl::StrCat("trans", name), 0));
    ASSIGN_OR_RETURN(const std::int64_t moves, call.Int(absl::StrCat("transBatch", name), 0));
    if (moves != 0) return call.Unimplemented("a batch that is transposed");
    if (is_transposed == 0) continue;
    ASSIGN_OR_RETURN(operands[side], Transposed(call, operands[side], name));
  }
  if (alpha == 1.0F) return call.As("MatMul", operands, {}, "");
  ASSIGN_OR_RETURN(const Operand product, One(call, "MatMul", operands, {}, "product"));
  return call.As("Mul", {product, NodeCall::Scalar(alpha)}, {}, "");
}

// The sum of what a normalization is given, and the normalization.
Outputs SkipNormalization(NodeCall& call, absl::string_view op, bool has_beta) {
  const std::size_t last = has_beta ? 4 : 3;
  RETURN_IF_ERROR(CheckPresent(call, last + 1, {0, 1, 2}));
  ASSIGN_OR_RETURN(const float epsilon, call.Float("epsilon", 1e-12F));
  if (call.Wants(1) || call.Wants(2)) return call.Unimplemented("its mean or deviation is used");
  ASSIGN_OR_RETURN(Operand sum, One(call, "Add", {call.input(0), call.input(1)}, {}, "sum"));
  if (call.Has(last)) {
    ASSIGN_OR_RETURN(sum, One(call, "Add", {sum, call.input(last)}, {}, "sum_bias"));
  }
  std::vector<Operand> inputs = {sum, call.input(2)};
  if (has_beta && call.Has(3)) inputs.push_back(call.input(3));
  ASSIGN_OR_RETURN(
      Operand result,
      One(call, op, inputs, {IntAttributeOf("axis", -1), FloatAttributeOf("epsilon", epsilon)}));
  return std::vector<Operand>{std::move(result), Operand{}, Operand{}, std::move(sum)};
}
Outputs TranslateSkipLayerNormalization(NodeCall& call) {
  return SkipNormalization(call, "LayerNormalization", true);
}
Outputs TranslateSkipSimplifiedLayerNormalization(NodeCall& call) {
  return SkipNormalization(call, "RMSNormalization", false);
}

// The index along axis 1 of `x`, as ONNX's [batch, length].
absl::StatusOr<Operand> Positions(NodeCall& call, Activation& x, absl::string_view suffix) {
  ASSIGN_OR_RETURN(const ValueId id, call.InOrder(x, PlainOrder(x.shape.size())));
  ASSIGN_OR_RETURN(
      const ValueId positions,
      call.Emit("Positions", {id}, {{"axis", static_cast<std::int64_t>(1 + call.lead())}}, suffix));
  return call.Result(positions, PlainOrder(2));
}

// The sum of the embeddings of words, positions and segments, normalized. Inputs as those of
// EmbedLayerNormalization: ids, segments, three tables, gamma, beta, mask, positions.
Outputs Embed(NodeCall& call, const std::vector<Operand>& inputs) {
  ASSIGN_OR_RETURN(const float epsilon, call.Float("epsilon", 1e-12F));
  call.Ignore("mask_index_type");
  Activation* const ids = inputs[0].activation();
  if (ids == nullptr || ids->shape.size() != 2) return call.Invalid("wants ids [batch, length]");
  ASSIGN_OR_RETURN(Operand sum, One(call, "Gather", {inputs[2], inputs[0]}, {}, "words"));
  Operand places = inputs[8];
  if (places.is_absent()) {
    ASSIGN_OR_RETURN(places, Positions(call, *ids, "places"));
  }
  ASSIGN_OR_RETURN(const Operand position,
                   One(call, "Gather", {inputs[3], places}, {}, "positions"));
  ASSIGN_OR_RETURN(sum, One(call, "Add", {sum, position}, {}, "placed"));
  if (!inputs[1].is_absent() && !inputs[4].is_absent()) {
    ASSIGN_OR_RETURN(const Operand segment,
                     One(call, "Gather", {inputs[4], inputs[1]}, {}, "segments"));
    ASSIGN_OR_RETURN(sum, One(call, "Add", {sum, segment}, {}, "embedded"));
  }
  ASSIGN_OR_RETURN(Operand result,
                   One(call, "LayerNormalization", {sum, inputs[5], inputs[6]},
                       {IntAttributeOf("axis", -1), FloatAttributeOf("epsilon", epsilon)}));
  std::vector<Operand> outputs = {std::move(result)};
  if (!call.Wants(1) && !call.Wants(2)) return outputs;
  Operand lengths;
  if (call.Wants(1)) {
    if (inputs[7].is_absent()) return call.Unimplemented("its mask_index is used without a mask");
    ASSIGN_OR_RETURN(const Operand real,
                     call.Elementwise("Cast", inputs[7], {{"to", std::string("FP32")}}, "mask"));
    const auto [order, id] = NodeCall::AnyForm(*real.activation());
    ASSIGN_OR_RETURN(const ValueId counted,
                     call.Emit("Reduce", {id},
                               {{"kind", std::string("sum")},
                                {"axes", std::vector<std::int64_t>{call.AxisIn(order, 1)}}},
                               "counted"));
    ASSIGN_OR_RETURN(lengths, call.Elementwise("Cast", call.Result(counted, {0}),
                                               {{"to", std::string("INT32")}}, "lengths"));
  }
  outputs.push_back(std::move(lengths));
  outputs.push_back(std::move(sum));
  return outputs;
}

Outputs TranslateEmbedLayerNormalization(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 9, {0, 2, 3, 5, 6}));
  std::vector<Operand> inputs = call.inputs();
  inputs.resize(9);
  return Embed(call, inputs);
}

// Tables and parameters of 8 bits, which become real numbers here.
Outputs TranslateQEmbedLayerNormalization(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 18, {0, 2, 3, 5, 6, 8, 9, 11, 12}));
  std::vector<Operand> inputs = call.inputs();
  inputs.resize(18);
  for (std::size_t i = 0; i < 5; ++i) {
    Operand& table = inputs[2 + i];
    if (table.is_absent()) continue;
    ASSIGN_OR_RETURN(const ConstantTensor integers, call.Constant(2 + i, "table"));
    ASSIGN_OR_RETURN(const Quantization quantization,
                     QuantizationOf(call, 8 + i, 13 + i, integers.data_type()));
    RETURN_IF_ERROR(ReserveConstant(call, integers.dims()));
    ASSIGN_OR_RETURN(table, Dequantized(call, table, quantization, absl::StrCat("table_", i)));
  }
  inputs.resize(8);
  inputs.resize(9);
  return Embed(call, inputs);
}

// The keys that each query sees, of what com.microsoft's attention is given, as a mask that
// stretches to [batch, heads, queries, keys]; kNoValue where it sees all. `x` is [batch, length,
// _].
absl::StatusOr<ValueId> KeyMask(NodeCall& call, Activation& x, std::size_t index) {
  if (!call.Has(index)) return kNoValue;
  ASSIGN_OR_RETURN(const auto mask, call.ActivationOf(index));
  const std::size_t rank = mask->shape.size();
  if (rank == 1) {
    if (mask->shape[0] != x.shape[0]) {
      return call.Unimplemented("a mask_index of more than a length for each row");
    }
    ASSIGN_OR_RETURN(const Operand places, Positions(call, x, "places"));
    ASSIGN_OR_RETURN(auto lengths, call.Unsqueeze(*mask, {1}));
    ASSIGN_OR_RETURN(const Operand seen,
                     call.Broadcast("Less", {places, {"", std::move(lengths)}}, {}, "seen"));
    return call.graph().Reshape(absl::StrCat(call.name(), "/mask"),
                                NodeCall::AnyForm(*seen.activation()).second, {0, 1, 1, -1});
  }
  if (rank != 2 && rank != 3) {
    return call.Unimplemented(absl::StrCat("a mask of ", rank, " dimensions"));
  }
  ASSIGN_OR_RETURN(const Operand seen, call.Elementwise("Cast", Operand{"", mask},
                                                        {{"to", std::string("BOOL")}}, "seen"));
  ASSIGN_OR_RETURN(const ValueId id, call.InOrder(*seen.activation(), PlainOrder(rank)));
  if (rank == 2) {
    return call.graph().Reshape(absl::StrCat(call.name(), "/mask"), id, {0, 1, 1, -1});
  }
  return call.Rearrange(id, {0, NodeCall::kNewAxis, 1, 2}, "mask");
}

// Where com.microsoft's attention has what it is given, and how it is written.
struct AttentionForm {
  std::size_t mask = 0;
  std::vector<std::int64_t> widths;  // of queries, keys and values
};

// Attention over `projected`, [batch, length, queries + keys + values].
absl::StatusOr<Operand> AttentionOver(NodeCall& call, Activation& projected,
                                      const AttentionForm& form) {
  ASSIGN_OR_RETURN(const std::int64_t heads, call.Int("num_heads", 0));
  ASSIGN_OR_RETURN(const std::int64_t is_causal, call.Int("unidirectional", 0));
  ASSIGN_OR_RETURN(float scale, call.Float("scale", 0.0F));
  ASSIGN_OR_RETURN(const std::int64_t rotates, call.Int("do_rotary", 0));
  // What is masked has no weight at all here.
  ASSIGN_OR_RETURN(const float filter, call.Float("mask_filter_value", -10000.0F));
  call.Ignore("past_present_share_buffer");
  call.Ignore("rotary_embedding_dim");
  if (rotates != 0) return call.Unimplemented("rotary embeddings");
  if (filter > -1000.0F) return call.Unimplemented(absl::StrCat("a mask_filter_value of ", filter));
  if (call.lead() != 0) {
    return call.Unimplemented("attention in a model whose first dimension is not the batch");
  }
  for (const std::int64_t width : form.widths) {
    if (heads < 1 || width < 1 || width % heads != 0) {
      return call.Invalid(absl::StrCat("a width of ", width, " for ", heads, " heads"));
    }
  }
  const std::int64_t head_width = form.widths[0] / heads;
  if (scale == 0.0F) scale = 1.0F / std::sqrt(static_cast<float>(head_width));
  ASSIGN_OR_RETURN(const ValueId all, call.InOrder(projected, PlainOrder(3)));
  std::vector<ValueId> inputs;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    constexpr std::array<absl::string_view, 3> kNames = {"query", "key", "value"};
    const std::int64_t width = form.widths[i];
    ASSIGN_OR_RETURN(const ValueId part,
                     call.Emit("Slice", {all},
                               {{"axes", std::vector<std::int64_t>{2}},
                                {"starts", std::vector<std::int64_t>{first}},
                                {"ends", std::vector<std::int64_t>{first + width}}},
                               kNames.at(i)));
    ASSIGN_OR_RETURN(const ValueId split,
                     call.graph().Reshape(absl::StrCat(call.name(), "/", kNames.at(i), "_heads"),
                                          part, {0, 0, heads, width / heads}));
    inputs.push_back(split);
    first += width;
  }
  ASSIGN_OR_RETURN(const ValueId mask, KeyMask(call, projected, form.mask));
  if (mask != kNoValue) inputs.push_back(mask);
  ASSIGN_OR_RETURN(const ValueId attended,
                   call.Emit("Attention", std::move(inputs),
                             {{"scale", double{scale}}, {"causal", is_causal}}, "attended"));
  ASSIGN_OR_RETURN(const ValueId joined, call.graph().Reshape(absl::StrCat(call.name(), "/joined"),
                                                              attended, {0, 0, form.widths[2]}));
  return call.Result(joined, PlainOrder(3));
}

absl::Status CheckNoPast(const NodeCall& call, std::size_t past) {
  if (call.Has(past) || call.Wants(1)) return call.Unimplemented("keys and values of the past");
  return absl::OkStatus();
}

absl::StatusOr<AttentionForm> AttentionFormOf(NodeCall& call, std::size_t mask,
                                              const ConstantTensor& weights) {
  AttentionForm form;
  form.mask = mask;
  if (weights.dims().size() != 2) return call.Invalid("wants a matrix of weights");
  const std::int64_t columns = weights.dims()[1];
  ASSIGN_OR_RETURN(form.widths, call.Ints("qkv_hidden_sizes"));
  if (form.widths.empty()) form.widths.assign(3, columns / 3);
  bool fits = form.widths.size() == 3;
  std::int64_t left = columns;
  for (const std::int64_t width : form.widths) {
    fits = fits && width > 0 && width <= left;
    left -= fits ? width : 0;
  }
  if (fits && left == 0) return form;
  return call.Invalid(
      absl::StrCat("weights ", ToString(weights.dims()), " for queries, keys and values"));
}

Outputs TranslateAttention(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 7, {0, 1}));
  RETURN_IF_ERROR(CheckNoPast(call, 4));
  if (call.Has(5)) return call.Unimplemented("an attention_bias");
  ASSIGN_OR_RETURN(const ConstantTensor weights, call.FloatConstant(1, "weights"));
  ASSIGN_OR_RETURN(const AttentionForm form, AttentionFormOf(call, 3, weights));
  ASSIGN_OR_RETURN(Operand projected,
                   One(call, "MatMul", {call.input(0), call.input(1)}, {}, "product"));
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(projected, One(call, "Add", {projected, call.input(2)}, {}, "projected"));
  }
  if (projected.rank() != 3) return call.Invalid("wants an input [batch, length, width]");
  ASSIGN_OR_RETURN(Operand result, AttentionOver(call, *projected.activation(), form));
  return Single(std::move(result));
}

Outputs TranslateQAttention(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 9, {0, 1, 2, 3, 4}));
  RETURN_IF_ERROR(CheckNoPast(call, 8));
  ASSIGN_OR_RETURN(const ConstantTensor weights, call.Constant(1, "weights"));
  ASSIGN_OR_RETURN(const AttentionForm form, AttentionFormOf(call, 5, weights));
  const Operand zero_point = call.Has(6) ? call.input(6) : Operand{};
  ASSIGN_OR_RETURN(const Operand sums,
                   IntegerProduct(call, call.input(0), zero_point, {0, 1, 6, 7}, "sums"));
  ASSIGN_OR_RETURN(const Operand projected, ScaledSums(call, sums, call.input(3), 4, 2));
  if (projected.rank() != 3) return call.Invalid("wants an input [batch, length, width]");
  ASSIGN_OR_RETURN(Operand result, AttentionOver(call, *projected.activation(), form));
  return Single(std::move(result));
}

Outputs TranslateMatMulNBits(NodeCall& call) {
  RETURN_IF_ERROR(CheckPresent(call, 6, {0, 1, 2}));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(Operand result, BlockProduct(call, *x));
  return Single(std::move(result));
}

constexpr std::array kOperators = {
    OperatorEntry{"Attention", TranslateAttention},
    OperatorEntry{"BiasGelu", TranslateGelu},
    OperatorEntry{"EmbedLayerNormalization", TranslateEmbedLayerNormalization},
    OperatorEntry{"FastGelu", TranslateFastGelu},
    OperatorEntry{"FusedConv", TranslateFusedConv},
    OperatorEntry{"FusedGemm", TranslateFusedGemm},
    OperatorEntry{"FusedMatMul", TranslateFusedMatMul},
    OperatorEntry{"Gelu", TranslateGelu},
    OperatorEntry{"MatMulNBits", TranslateMatMulNBits},
    OperatorEntry{"QAttention", TranslateQAttention},
    OperatorEntry{"QEmbedLayerNormalization", TranslateQEmbedLayerNormalization},
    OperatorEntry{"QuickGelu", TranslateQuickGelu},
    OperatorEntry{"SkipLayerNormalization", TranslateSkipLayerNormalization},
    OperatorEntry{"SkipSimplifiedLayerNormalization", TranslateSkipSimplifiedLayerNormalization},
};

}  // namespace

std::span<const OperatorEntry> MicrosoftTransformerOperators() { return kOperators; }

}  // namespace octet::onnx
