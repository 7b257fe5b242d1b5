// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_gelu.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

// A graph of one input, "x", to which nodes are added.
class GeluGraph {
 public:
  GeluGraph() {
    x_ = graph_.AddValue("x", {DataType::kFloat32, {Dim(kRows), 4}, std::nullopt});
    graph_.inputs = {x_};
  }

  [[nodiscard]] ValueId x() const { return x_; }

  ValueId Number(double value) {
    const std::string name = "number_" + std::to_string(graph_.values.size());
    return graph_.AddConstant(name,
                              ConstantTensor::Copy(DataType::kFloat32, {},
                                                   std::vector<float>{static_cast<float>(value)}));
  }

  ValueId Add(const std::string& op, std::vector<ValueId> inputs,
              std::map<std::string, Attribute> attributes = {}) {
    const std::string name = "value_" + std::to_string(graph_.values.size());
    const ValueId out = graph_.AddValue(name, graph_.values[static_cast<std::size_t>(x_)].type);
    graph_.nodes.push_back({name, op, std::move(inputs), {out}, std::move(attributes)});
    return out;
  }

  ValueId Erf(ValueId scaled) {
    const ValueId erf = Add("ElementwiseFunction", {scaled}, {{"function", std::string("erf")}});
    return Add("Add", {erf, Number(1)});
  }

  Graph Fused(ValueId output) {
    graph_.outputs = {output};
    FuseGelu(graph_);
    return graph_;
  }

 private:
  Graph graph_;
  ValueId x_ = kNoValue;
};

void ExpectOneNode(const Graph& graph, const std::string& activation) {
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph.nodes[0].op, "Activation");
  EXPECT_EQ(graph.nodes[0].inputs, graph.inputs);
  EXPECT_EQ(graph.nodes[0].outputs, graph.outputs);
  EXPECT_EQ(StringOr(graph.nodes[0], "activation", ""), activation);
}

TEST(FuseGeluTest, TheFactorsMayBeInAnyOrder) {
  for (const bool divides : {false, true}) {
    for (const int order : {0, 1, 2}) {
      GeluGraph g;
      const ValueId gate = g.Erf(divides ? g.Add("Divide", {g.x(), g.Number(std::sqrt(2.0))})
                                         : g.Add("Multiply", {g.Number(std::sqrt(0.5)), g.x()}));
      const ValueId half = g.Number(0.5);
      ValueId y = kNoValue;
      if (order == 0) y = g.Add("Multiply", {g.Add("Multiply", {g.x(), gate}), half});
      if (order == 1) y = g.Add("Multiply", {g.x(), g.Add("Multiply", {half, gate})});
      if (order == 2) y = g.Add("Multiply", {g.Add("Multiply", {half, g.x()}), gate});
      ExpectOneNode(g.Fused(y), "gelu");
    }
  }
}

// 0.5 * x * (1 + tanh(factor * (x + 0.044715 * x^3))), with the cube as a power or a product.
Graph TanhGelu(bool has_power, double factor) {
  GeluGraph g;
  const ValueId cube = has_power ? g.Add("Power", {g.x(), g.Number(3)})
                                 : g.Add("Multiply", {g.x(), g.Add("Multiply", {g.x(), g.x()})});
  const ValueId sum = g.Add("Add", {g.x(), g.Add("Multiply", {cube, g.Number(0.044715)})});
  const ValueId inside = g.Add("Multiply", {sum, g.Number(factor)});
  const ValueId tanh = g.Add("Activation", {inside}, {{"activation", std::string("tanh")}});
  const ValueId gate = g.Add("Add", {g.Number(1), tanh});
  return g.Fused(g.Add("Multiply", {g.Add("Multiply", {g.Number(0.5), g.x()}), gate}));
}

TEST(FuseGeluTest, TakesTheFormWithTanh) {
  for (const bool has_power : {false, true}) {
    ExpectOneNode(TanhGelu(has_power, std::sqrt(2.0 / M_PI)), "gelu_tanh");
  }
}

TEST(FuseGeluTest, LeavesWhatIsNoGelu) {
  EXPECT_GT(TanhGelu(true, 0.8).nodes.size(), 1U) << "another factor";
  {
    GeluGraph g;
    const ValueId gate = g.Erf(g.Add("Divide", {g.x(), g.Number(1.5)}));
    const ValueId y = g.Add("Multiply", {g.Add("Multiply", {g.x(), gate}), g.Number(0.5)});
    EXPECT_GT(g.Fused(y).nodes.size(), 1U) << "another divisor";
  }
  {
    GeluGraph g;
    const ValueId gate = g.Erf(g.Add("Divide", {g.x(), g.Number(std::sqrt(2.0))}));
    const ValueId y = g.Add("Multiply", {g.Add("Multiply", {gate, gate}), g.Number(0.5)});
    EXPECT_GT(g.Fused(y).nodes.size(), 1U) << "the gate twice";
  }
  {
    GeluGraph g;
    const ValueId gate = g.Erf(g.Add("Divide", {g.x(), g.Number(std::sqrt(2.0))}));
    const ValueId part = g.Add("Multiply", {g.x(), gate});
    const ValueId y = g.Add("Add", {part, g.Add("Multiply", {part, g.Number(0.5)})});
    EXPECT_GT(g.Fused(y).nodes.size(), 2U) << "a part of it is used elsewhere";
  }
}

}  // namespace
}  // namespace octet
