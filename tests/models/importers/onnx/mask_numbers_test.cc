// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/mask_numbers.h"

#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace octet::onnx {
namespace {

// (one - float32(mask)) * number, with the mask as the only input.
Graph Network(DataType mask_type, float one, float number, bool shows_difference = false) {
  Graph graph;
  const TensorType real = {DataType::kFloat32, {Dim(kRows), 4}, std::nullopt};
  const auto scalar = [&graph](const std::string& name, float value) {
    return graph.AddConstant(
        name, ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{value}));
  };
  const auto append = [&graph, &real](const std::string& name, const std::string& op,
                                      std::vector<ValueId> inputs,
                                      std::map<std::string, Attribute> attributes = {}) {
    const ValueId out = graph.AddValue(name, real);
    graph.nodes.push_back({name, op, std::move(inputs), {out}, std::move(attributes)});
    return out;
  };
  const ValueId mask = graph.AddValue("mask", {mask_type, real.shape, std::nullopt});
  graph.inputs = {mask};
  const ValueId cast = append("cast", "Cast", {mask}, {{"to", std::string("FP32")}});
  const ValueId difference = append("difference", "Subtract", {scalar("one", one), cast});
  graph.outputs = {append("numbers", "Multiply", {difference, scalar("number", number)})};
  if (shows_difference) graph.outputs.push_back(difference);
  return graph;
}

TEST(MaskNumbersTest, AMaskOfWholeNumbersChooses) {
  for (const DataType type : {DataType::kInt64, DataType::kInt32, DataType::kBool}) {
    Graph graph = Network(type, 1, -10000);
    ReplaceMaskNumbers(graph);
    ASSERT_EQ(graph.nodes.size(), 2U);
    EXPECT_EQ(graph.nodes[0].op, "Cast");
    EXPECT_EQ(graph.nodes[0].inputs, graph.inputs);
    EXPECT_EQ(StringOr(graph.nodes[0], "to", ""), "BOOL");
    EXPECT_EQ(graph.nodes[1].op, "Where");
    EXPECT_EQ(graph.nodes[1].outputs, graph.outputs);
    const auto& seen = graph.values[static_cast<std::size_t>(graph.nodes[1].inputs[0])];
    EXPECT_EQ(seen.type.data_type, DataType::kBool);
    const auto& zero = graph.values[static_cast<std::size_t>(graph.nodes[1].inputs[1])].constant;
    ASSERT_TRUE(zero.has_value());
    EXPECT_EQ(zero->as<float>()[0], 0.0F);
  }
}

TEST(MaskNumbersTest, WhatIsNoMaskStays) {
  for (Graph graph : {Network(DataType::kFloat32, 1, -10000), Network(DataType::kInt64, 2, -10000),
                      Network(DataType::kInt64, 1, -5), Network(DataType::kInt64, 1, 10000),
                      Network(DataType::kInt64, 1, -10000, true)}) {
    ReplaceMaskNumbers(graph);
    ASSERT_EQ(graph.nodes.size(), 3U);
    EXPECT_EQ(graph.nodes[2].op, "Multiply");
  }
}

}  // namespace
}  // namespace octet::onnx
