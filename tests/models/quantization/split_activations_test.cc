// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/split_activations.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>

#include "models/graph/passes/fold_batch_normalization.h"
#include "models/graph/passes/fuse_activation.h"
#include "models/operators/operators.h"
#include "models/quality/difference.h"
#include "models/quantization/self_test_vectors.h"
#include "tests/support/small_network.h"

namespace octet {
namespace {

bool HasOperator(const Graph& graph, const std::string& op) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [&](const Node& node) { return node.op == op; });
}

// What `graph` answers for some images.
std::vector<float> Answers(const Graph& graph) {
  std::vector<Tensor> inputs;
  inputs.push_back(testing::SmallImages(8));
  const auto test = MakeSelfTest(graph, BuiltInOperators(), std::move(inputs));
  EXPECT_TRUE(test.ok()) << test.status();
  if (!test.ok()) return {};
  const std::span<const float> out = test->outputs[0].as<float>();
  return {out.begin(), out.end()};
}

TEST(SplitActivationsTest, ChangesNoAnswer) {
  const Graph graph = testing::SmallNetwork().graph;
  Graph prepared = graph;
  FoldBatchNormalization(prepared);
  FuseClip(prepared);
  EXPECT_EQ(prepared.nodes.size() + 2, graph.nodes.size());
  EXPECT_EQ(prepared.nodes[0].String("activation", "linear").value(), "relu");
  SplitOtherActivations(prepared);
  EXPECT_TRUE(HasOperator(prepared, "Activation"));  // the hard_sigmoid
  EXPECT_EQ(prepared.nodes.back().String("activation", "linear").value(), "softmax");
  EXPECT_LT(MaxAbsDifference(Answers(graph), Answers(prepared)), 1e-5);
}

TEST(SplitActivationsTest, AReluWithParametersIsNotAClip) {
  Node node{"n", "Activation", {0}, {1}, {{"activation", std::string("relu")}}};
  EXPECT_TRUE(HasClippingActivation(node));
  node.attributes["activation_quantization"] = std::string("none");
  EXPECT_TRUE(HasClippingActivation(node));
  node.attributes["activation_alpha"] = 0.1;
  EXPECT_FALSE(HasClippingActivation(node));
}

}  // namespace
}  // namespace octet
