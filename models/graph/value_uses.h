// SPDX-License-Identifier: Apache-2.0
// Who makes and who uses the values of a graph: for what rewrites one.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "models/graph/graph.h"

namespace octet {

// A snapshot: it does not see what is changed later.
class ValueUses {
 public:
  explicit ValueUses(const Graph& graph)
      : counts_(graph.values.size(), 0), producers_(graph.values.size(), -1) {
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      for (const ValueId id : graph.nodes[n].inputs) {
        if (id != kNoValue) ++counts_[Index(id)];
      }
      for (const ValueId id : graph.nodes[n].outputs) {
        producers_[Index(id)] = static_cast<std::ptrdiff_t>(n);
      }
    }
    for (const ValueId id : graph.outputs) ++counts_[Index(id)];
  }

  // By nodes, and as an output of the graph.
  [[nodiscard]] std::int64_t NumUses(ValueId id) const { return counts_[Index(id)]; }

  // The node whose only output is `id`, if it is used just once; else null.
  [[nodiscard]] Node* OnlyUsedHere(Graph& graph, ValueId id) const {
    if (id == kNoValue || NumUses(id) != 1 || producers_[Index(id)] < 0) return nullptr;
    Node& node = graph.nodes[static_cast<std::size_t>(producers_[Index(id)])];
    return node.outputs.size() == 1 ? &node : nullptr;
  }

  // The node whose only output is `id`, however often that is used; else null.
  [[nodiscard]] Node* Producer(Graph& graph, ValueId id) const {
    if (id == kNoValue || producers_[Index(id)] < 0) return nullptr;
    Node& node = graph.nodes[static_cast<std::size_t>(producers_[Index(id)])];
    return node.outputs.size() == 1 ? &node : nullptr;
  }

  // To be called when the value takes another's place as output of that one's producer.
  void TakeProducer(ValueId id, ValueId from) {
    producers_[Index(id)] = producers_[Index(from)];
    producers_[Index(from)] = -1;
  }
  void RemoveUse(ValueId id) { --counts_[Index(id)]; }

 private:
  static std::size_t Index(ValueId id) { return static_cast<std::size_t>(id); }
  std::vector<std::int64_t> counts_;
  std::vector<std::ptrdiff_t> producers_;  // index of a node, or -1
};

// The one element of a float32 constant; nothing for anything else.
inline std::optional<float> ScalarConstant(const Graph& graph, ValueId id) {
  if (id == kNoValue) return std::nullopt;
  const auto& constant = graph.values[static_cast<std::size_t>(id)].constant;
  if (!constant || constant->data_type() != DataType::kFloat32 ||
      constant->bytes().size() != sizeof(float)) {
    return std::nullopt;
  }
  return constant->as<float>()[0];
}

// Whether the two are float32 of one shape: a constant of one element may have many dimensions.
inline bool AreAlikeFloats(const Graph& graph, ValueId a, ValueId b) {
  const TensorType& left = graph.values[static_cast<std::size_t>(a)].type;
  const TensorType& right = graph.values[static_cast<std::size_t>(b)].type;
  return left.data_type == DataType::kFloat32 && right.data_type == DataType::kFloat32 &&
         left.shape == right.shape;
}

// Whether the node computes no activation function behind its own.
inline bool IsLinear(const Node& node) {
  const auto activation = node.String("activation", "linear");
  return activation.ok() && *activation == "linear";
}

// Removes the nodes that were stripped of their outputs.
inline void EraseNodesWithoutOutputs(Graph& graph) {
  std::erase_if(graph.nodes, [](const Node& node) { return node.outputs.empty(); });
}

}  // namespace octet
