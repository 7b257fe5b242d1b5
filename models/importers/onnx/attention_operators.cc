// SPDX-License-Identifier: Apache-2.0
// Attention as ONNX has it since opset 23.

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

constexpr std::array<absl::string_view, 3> kNames = {"query", "key", "value"};

struct AttentionAttributes {
  std::array<std::int64_t, 3> heads = {};  // of queries, keys and values; 0: an axis says it
  float scale = 0.0F;                      // 0: by the queries' width
  float soft_cap = 0.0F;
  std::int64_t is_causal = 0;
};

absl::StatusOr<AttentionAttributes> AttributesOf(NodeCall& call) {
  AttentionAttributes attributes;
  ASSIGN_OR_RETURN(attributes.heads[0], call.Int("q_num_heads", 0));
  ASSIGN_OR_RETURN(attributes.heads[1], call.Int("kv_num_heads", 0));
  attributes.heads[2] = attributes.heads[1];
  ASSIGN_OR_RETURN(attributes.scale, call.Float("scale", 0.0F));
  ASSIGN_OR_RETURN(attributes.soft_cap, call.Float("softcap", 0.0F));
  ASSIGN_OR_RETURN(attributes.is_causal, call.Int("is_causal", 0));
  ASSIGN_OR_RETURN(const std::int64_t left, call.Int("left_window_size", -1));
  ASSIGN_OR_RETURN(const std::int64_t right, call.Int("right_window_size", -1));
  call.Ignore("softmax_precision");  // never below float32 here
  call.Ignore("qk_matmul_output_mode");
  if (left != -1 || right != -1) return call.Unimplemented("a window");
  if (call.Has(4) || call.Has(5) || call.Wants(1) || call.Wants(2)) {
    return call.Unimplemented("keys and values of the past");
  }
  if (call.Has(6)) return call.Unimplemented("nonpad_kv_seqlen");
  if (call.Wants(3)) return call.Unimplemented("its scores are used");
  return attributes;
}

// Input `index` as [batch, heads, length, width].
absl::StatusOr<std::shared_ptr<Activation>> Heads(NodeCall& call, std::size_t index,
                                                  std::int64_t heads) {
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(index));
  if (x->type != DataType::kFloat32) return call.Invalid("wants numbers of type FP32");
  if (x->shape.size() == 4) {
    if (!x->shape[1].is_constant() || !x->shape[3].is_constant()) {
      return call.Unimplemented("heads, or a width, of an open size");
    }
    return x;
  }
  if (x->shape.size() != 3 || !x->shape[2].is_constant()) {
    return call.Invalid("wants tensors [batch, heads, length, width] or [batch, length, width]");
  }
  const std::int64_t width = x->shape[2].value();
  if (heads < 1 || width < 1 || width % heads != 0) {
    return call.Invalid(absl::StrCat("a width of ", width, " for ", heads, " heads"));
  }
  ASSIGN_OR_RETURN(const ValueId plain, call.InOrder(*x, PlainOrder(3)));
  ASSIGN_OR_RETURN(const ValueId split, call.Reshape(plain, {0, 0, heads, width / heads},
                                                     absl::StrCat(kNames.at(index), "_heads")));
  return call.FromValue(split, {0, 2, 1, 3});
}

// Which keys each query sees, or what is added to its scores, as [batch, heads, queries, keys] or
// something that stretches to it.
absl::StatusOr<Operand> MaskOf(NodeCall& call) {
  Operand mask = call.input(3);
  if (const Filled* const same = mask.filled()) {
    const bool is_true = same->value.data_type() == DataType::kBool &&
                         NumElements(same->value.dims()) == 1 && Int64Elements(same->value)[0] != 0;
    if (is_true) return Operand{};
  }
  if (const Stretched* const larger = mask.stretched()) {
    auto content = larger->content;
    mask.content = std::move(content);
  }
  if (mask.rank() > 4) return call.Invalid("a mask of more than 4 dimensions");
  if (Activation* const activation = mask.activation(); activation != nullptr && mask.rank() < 4) {
    ASSIGN_OR_RETURN(mask.content, call.Unsqueeze(*activation, PlainOrder(4 - mask.rank())));
  }
  return mask;
}

// As the one operator that the graph has for it.
absl::StatusOr<Operand> Fused(NodeCall& call, const std::vector<std::shared_ptr<Activation>>& heads,
                              Operand mask, const AttentionAttributes& attributes) {
  std::vector<ValueId> inputs;
  for (const auto& x : heads) {
    ASSIGN_OR_RETURN(const ValueId id, call.InOrder(*x, {0, 2, 1, 3}));
    inputs.push_back(id);
  }
  if (Activation* const activation = mask.activation()) {
    ASSIGN_OR_RETURN(const ValueId id, call.InOrder(*activation, PlainOrder(4)));
    inputs.push_back(id);
  } else if (mask.constant() != nullptr) {
    inputs.push_back(call.AddConstant(mask.name, *mask.constant()));
  } else if (!mask.is_absent()) {
    return call.Unimplemented("a mask of an open shape that does not depend on the inputs");
  }
  ASSIGN_OR_RETURN(const ValueId id, call.Emit("Attention", std::move(inputs),
                                               {{"scale", double{attributes.scale}},
                                                {"soft_cap", double{attributes.soft_cap}},
                                                {"causal", attributes.is_causal},
                                                {"zero_masked_rows", std::int64_t{1}}}));
  return call.Result(id, {0, 2, 1, 3});
}

// With something added to the scores, as the products that it is.
absl::StatusOr<Operand> Composed(NodeCall& call,
                                 const std::vector<std::shared_ptr<Activation>>& heads,
                                 const Operand& mask, const AttentionAttributes& attributes) {
  if (attributes.soft_cap != 0.0F || attributes.is_causal != 0 ||
      heads[0]->shape[1] != heads[1]->shape[1]) {
    return call.Unimplemented(
        "scores that are added to, with a softcap, is_causal or heads that share keys");
  }
  auto keys = std::make_shared<Activation>(*heads[1]);
  std::swap(keys->shape[2], keys->shape[3]);
  keys->forms.clear();
  for (const auto& [order, id] : heads[1]->forms) {
    Order moved = order;
    for (std::size_t& axis : moved) axis = axis == 2 ? 3 : axis == 3 ? 2 : axis;
    keys->forms[moved] = id;
  }
  ASSIGN_OR_RETURN(auto scores,
                   call.As("MatMul", {{"", heads[0]}, {"", std::move(keys)}}, {}, "scores"));
  ASSIGN_OR_RETURN(
      Operand value,
      call.Broadcast("Multiply", {scores.at(0), NodeCall::Scalar(attributes.scale)}, {}, "scaled"));
  ASSIGN_OR_RETURN(value, call.Broadcast("Add", {value, mask}, {}, "masked"));
  AttributeProto axis;
  axis.name = "axis";
  axis.type = 2;  // INT
  axis.i = -1;
  ASSIGN_OR_RETURN(auto weights, call.As("Softmax", {value}, {axis}, "weights"));
  ASSIGN_OR_RETURN(auto result, call.As("MatMul", {weights.at(0), {"", heads[2]}}, {}, ""));
  return result.at(0);
}

Outputs TranslateAttention(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(3, 7));
  ASSIGN_OR_RETURN(AttentionAttributes attributes, AttributesOf(call));
  if (call.lead() != 0) {
    return call.Unimplemented("attention in a model whose first dimension is not the batch");
  }
  std::vector<std::shared_ptr<Activation>> heads;
  for (std::size_t i = 0; i < 3; ++i) {
    ASSIGN_OR_RETURN(auto x, Heads(call, i, attributes.heads.at(i)));
    heads.push_back(std::move(x));
  }
  const std::int64_t width = heads[0]->shape[3].value();
  if (width < 1) return call.Invalid("a width of 0");
  if (attributes.scale == 0.0F) attributes.scale = 1.0F / std::sqrt(static_cast<float>(width));
  Operand mask;
  if (call.Has(3)) {
    ASSIGN_OR_RETURN(mask, MaskOf(call));
  }
  const bool is_added = !mask.is_absent() && mask.type() != DataType::kBool;
  ASSIGN_OR_RETURN(Operand result, is_added ? Composed(call, heads, mask, attributes)
                                            : Fused(call, heads, mask, attributes));
  if (call.input(0).rank() == 4) return Single(std::move(result));
  ASSIGN_OR_RETURN(const ValueId id, call.InOrder(*result.activation(), {0, 2, 1, 3}));
  const Shape& shape = result.activation()->shape;
  ASSIGN_OR_RETURN(const ValueId joined,
                   call.Reshape(id, {0, 0, shape[1].value() * shape[3].value()}, "joined"));
  return Single(call.Result(joined, PlainOrder(3)));
}

constexpr std::array kOperators = {
    OperatorEntry{"Attention", TranslateAttention},
};

}  // namespace

std::span<const OperatorEntry> AttentionOperators() { return kOperators; }

}  // namespace octet::onnx
