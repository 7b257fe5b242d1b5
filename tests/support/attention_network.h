// SPDX-License-Identifier: Apache-2.0
// Attention as exporters write it: reshapes aside, every node of its own.

#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/graph/graph.h"
#include "models/tensor/shape.h"
#include "models/tensor/tensor.h"

namespace octet::testing {

// Where the factor 1 / sqrt(width) stands.
enum class Scaling { kScores, kQueryAndKey };

struct AttentionNetworkOptions {
  Scaling scaling = Scaling::kScores;
  // The key's transposition swaps its last two dimensions too, instead of MatMul's flag.
  bool is_key_transposed = true;
  bool has_mask = false;
};

inline constexpr std::int64_t kAttentionHeads = 3;
inline constexpr std::int64_t kAttentionWidth = 4;

// query, key, value [rows, length, heads, width] (and mask [rows, 1, 1, length], bool) ->
// [rows, length, heads, width]. The scores are the value called "scores".
inline Graph AttentionNetwork(const AttentionNetworkOptions& options) {
  Graph graph;
  graph.symbol_names.push_back("length");
  const Dim length(Symbol{1});
  const auto type = [](Shape shape) {
    return TensorType{DataType::kFloat32, std::move(shape), std::nullopt};
  };
  const TensorType sequence =
      type({Dim(kRows), length, Dim(kAttentionHeads), Dim(kAttentionWidth)});
  const TensorType heads_first =
      type({Dim(kRows), Dim(kAttentionHeads), length, Dim(kAttentionWidth)});
  const TensorType scores_type = type({Dim(kRows), Dim(kAttentionHeads), length, length});
  const auto append = [&graph](const std::string& name, const std::string& op,
                               std::vector<ValueId> inputs, TensorType made,
                               std::map<std::string, Attribute> attributes = {}) {
    const ValueId out = graph.AddValue(name, std::move(made));
    graph.nodes.push_back({name, op, std::move(inputs), {out}, std::move(attributes)});
    return out;
  };
  const auto transpose = [&](const std::string& name, ValueId x, TensorType made,
                             std::vector<std::int64_t> permutation) {
    return append(name, "Transpose", {x}, std::move(made), {{"permutation", permutation}});
  };
  const auto scalar = [&graph](const std::string& name, float value) {
    return graph.AddConstant(
        name, ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{value}));
  };
  const ValueId query = graph.AddValue("query", sequence);
  const ValueId key = graph.AddValue("key", sequence);
  const ValueId value = graph.AddValue("value", sequence);
  graph.inputs = {query, key, value};
  ValueId q = transpose("query_heads", query, heads_first, {0, 2, 1, 3});
  const bool is_flagged = !options.is_key_transposed;
  const TensorType key_columns =
      type({Dim(kRows), Dim(kAttentionHeads), Dim(kAttentionWidth), length});
  ValueId k = is_flagged ? transpose("key_heads", key, heads_first, {0, 2, 1, 3})
                         : transpose("key_columns", key, key_columns, {0, 2, 3, 1});
  const ValueId v = transpose("value_heads", value, heads_first, {0, 2, 1, 3});
  const float root = std::sqrt(static_cast<float>(kAttentionWidth));
  if (options.scaling == Scaling::kQueryAndKey) {
    const ValueId factor = scalar("factor", 1 / std::sqrt(root));
    q = append("scaled_query", "Multiply", {q, factor}, heads_first);
    k = append("scaled_key", "Multiply", {factor, k}, is_flagged ? heads_first : key_columns);
  }
  ValueId scores = append("scores", "MatMul", {q, k}, scores_type,
                          {{"transpose_b", std::int64_t{is_flagged ? 1 : 0}}});
  if (options.scaling == Scaling::kScores) {
    scores = append("scaled", "Divide", {scores, scalar("root", root)}, scores_type);
  }
  std::vector<ValueId> softmax = {scores};
  if (options.has_mask) {
    graph.inputs.push_back(
        graph.AddValue("mask", {DataType::kBool, {Dim(kRows), 1, 1, length}, std::nullopt}));
    softmax.push_back(graph.inputs.back());
  }
  const ValueId probabilities = append("probabilities", "Softmax", softmax, scores_type);
  const ValueId context = append("context", "MatMul", {probabilities, v}, heads_first);
  graph.outputs = {transpose("y", context, sequence, {0, 2, 1, 3})};
  return graph;
}

}  // namespace octet::testing
