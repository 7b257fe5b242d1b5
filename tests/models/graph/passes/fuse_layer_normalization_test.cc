// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_layer_normalization.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

struct NetworkOptions {
  bool has_gamma = true;
  bool has_beta = true;
  bool squares_by_product = false;
  std::int64_t axis = 2;
  std::int64_t width = 4;  // of gamma and beta
  bool uses_mean_twice = false;
};

// The normalization of the last axis of [rows, 3, 4], every step a node of its own.
Graph Network(const NetworkOptions& options) {
  Graph graph;
  const TensorType full = {DataType::kFloat32, {Dim(kRows), 3, 4}, std::nullopt};
  const TensorType reduced = {DataType::kFloat32, {Dim(kRows), 3, 1}, std::nullopt};
  const auto append = [&graph](const std::string& name, const std::string& op,
                               std::vector<ValueId> inputs, const TensorType& type,
                               std::map<std::string, Attribute> attributes = {}) {
    const ValueId out = graph.AddValue(name, type);
    graph.nodes.push_back({name, op, std::move(inputs), {out}, std::move(attributes)});
    return out;
  };
  const auto constant = [&graph](const std::string& name, Dims dims) {
    const std::vector<float> values(static_cast<std::size_t>(NumElements(dims)), 1e-5F);
    return graph.AddConstant(name,
                             ConstantTensor::Copy(DataType::kFloat32, std::move(dims), values));
  };
  const std::map<std::string, Attribute> mean = {{"kind", std::string("mean")},
                                                 {"axes", std::vector<std::int64_t>{options.axis}},
                                                 {"keep_dims", std::int64_t{1}}};
  const ValueId x = graph.AddValue("x", full);
  graph.inputs = {x};
  const ValueId average = append("average", "Reduce", {x}, reduced, mean);
  const ValueId centred = append("centred", "Subtract", {x, average}, full);
  const ValueId square = options.squares_by_product
                             ? append("square", "Multiply", {centred, centred}, full)
                             : append("square", "Activation", {centred}, full,
                                      {{"activation", std::string("square")}});
  const ValueId variance = append("variance", "Reduce", {square}, reduced, mean);
  const ValueId sum = append("sum", "Add", {variance, constant("epsilon", {})}, reduced);
  const ValueId root =
      append("root", "Activation", {sum}, reduced, {{"activation", std::string("sqrt")}});
  ValueId y = append("normal", "Divide", {centred, root}, full);
  if (options.has_gamma) {
    y = append("scaled", "Multiply", {y, constant("gamma", {options.width})}, full);
  }
  if (options.has_beta) {
    y = append("moved", "Add", {constant("beta", {options.width}), y}, full);
  }
  graph.outputs = {y};
  if (options.uses_mean_twice) graph.outputs.push_back(average);
  return graph;
}

TEST(FuseLayerNormalizationTest, OneNodeStandsForAllOfThem) {
  for (const bool has_gamma : {false, true}) {
    for (const bool has_beta : {false, true}) {
      for (const bool squares_by_product : {false, true}) {
        if (has_beta && !has_gamma) continue;
        Graph graph = Network({.has_gamma = has_gamma,
                               .has_beta = has_beta,
                               .squares_by_product = squares_by_product});
        FuseLayerNormalization(graph);
        ASSERT_EQ(graph.nodes.size(), 1U);
        const Node& node = graph.nodes[0];
        EXPECT_EQ(node.op, "LayerNormalization");
        EXPECT_EQ(node.inputs.size(), 1U + (has_gamma ? 1U : 0U) + (has_beta ? 1U : 0U));
        EXPECT_EQ(node.inputs[0], graph.inputs[0]);
        EXPECT_EQ(node.outputs, graph.outputs);
        EXPECT_FLOAT_EQ(static_cast<float>(node.Float("epsilon", 0).value()), 1e-5F);
      }
    }
  }
}

void ExpectKept(Graph graph, const std::string& why) {
  const std::size_t count = graph.nodes.size();
  FuseLayerNormalization(graph);
  EXPECT_EQ(graph.nodes.size(), count) << why;
}

TEST(FuseLayerNormalizationTest, LeavesWhatIsNone) {
  ExpectKept(Network({.axis = 1}), "the mean is along another axis");
  ExpectKept(Network({.uses_mean_twice = true}), "the mean is an output");
  Graph graph = Network({.has_gamma = false, .has_beta = false});
  graph.values[static_cast<std::size_t>(graph.outputs[0])].type.shape.insert(
      graph.values[static_cast<std::size_t>(graph.outputs[0])].type.shape.begin() + 1, Dim(1));
  ExpectKept(graph, "the epsilon has more dimensions than the input");
}

TEST(FuseLayerNormalizationTest, ANumberForAllStays) {
  Graph graph = Network({.width = 1});
  FuseLayerNormalization(graph);
  EXPECT_EQ(graph.nodes.size(), 3U);  // the scale and the bias have nodes of their own
}

}  // namespace
}  // namespace octet
