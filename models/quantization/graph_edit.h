// SPDX-License-Identifier: Apache-2.0
// What rewriting a graph needs again and again. Internal to models/quantization.

#pragma once

#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace octet {

inline Value& ValueAt(Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}
inline const Value& ValueAt(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}

// Removes the values that no node, input or output refers to; the others keep their order.
void RemoveUnusedValues(Graph& graph);

// The float32 constant at `node`'s input `index`; null where there is none.
const ConstantTensor* FloatConstant(const Graph& graph, const Node& node, std::size_t index);

// Its elements. Precondition: float32.
std::vector<float> ElementsOf(const ConstantTensor& constant);

// Where the inputs of FullyConnected, Conv2d, Conv3d and DepthwiseConv2d lie.
struct WeightedInputs {
  static constexpr std::size_t kX = 0;
  static constexpr std::size_t kWeight = 1;
  static constexpr std::size_t kScale = 2;
  static constexpr std::size_t kZeroPoint = 3;  // FullyConnected only
};
inline bool IsConvolution(const Node& node) {
  return node.op == "Conv2d" || node.op == "Conv3d" || node.op == "DepthwiseConv2d";
}
inline std::size_t BiasIndex(const Node& node) { return IsConvolution(node) ? 3 : 4; }

// Whether `node` is a FullyConnected or a convolution with a plain float32 weight and a constant
// bias, or none.
bool HasFloatWeight(const Graph& graph, const Node& node);

// A weight as a matrix with an output channel in each column.
struct WeightMatrix {
  std::vector<float> elements;
  Dims dims;  // of the weight, no longer transposed
  std::size_t columns = 0;
};

// Precondition: HasFloatWeight(graph, node).
WeightMatrix WeightOf(const Graph& graph, const Node& node);

}  // namespace octet
