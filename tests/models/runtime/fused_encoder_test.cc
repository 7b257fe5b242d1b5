// SPDX-License-Identifier: Apache-2.0
// A transformer block with quantized activations: what the passes share and fuse, and what runs in
// blocks of rows, changes no bit.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/operators/operators.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"
#include "tests/support/run_operator.h"
#include "tests/support/small_encoder.h"

namespace octet {
namespace {

constexpr std::int64_t kRowCount = 3;
constexpr std::int64_t kLength = 67;

class FusedEncoderTest : public OperatorTest {
 protected:
  std::shared_ptr<const Executable> Compile(const Graph& graph) const {
    return Executable::Compile(graph, operators_, Kernels()).value();
  }

  static std::vector<float> Run(const std::shared_ptr<const Executable>& executable) {
    Arena arena;
    const auto session = Session::Create(executable, arena).value();
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(kRowCount * kLength));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = static_cast<std::int32_t>(i * 7 % static_cast<std::size_t>(testing::kVocabulary));
    }
    const Tensor input = MakeTensor(DataType::kInt32, {kRowCount, kLength}, tokens);
    const std::vector<TensorView> inputs = {input.view()};
    std::vector<Dims> dims;
    EXPECT_TRUE(session->OutputDims(inputs, dims).ok());
    std::vector<Tensor> outputs;
    std::vector<MutableTensorView> views;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      outputs.emplace_back(executable->outputs()[i].type.data_type, dims[i]);
    }
    for (Tensor& output : outputs) views.push_back(output.mutable_view());
    EXPECT_TRUE(session->Run(inputs, views).ok());
    return Elements<float>(outputs[0]);
  }

  const OperatorRegistry operators_ = BuiltInOperators();
};

TEST_P(FusedEncoderTest, SharesFusesAndRunsInBlocksWithoutChangingABit) {
  const Graph graph = testing::SmallEncoder().Build();
  const auto executable = Compile(graph);
  std::vector<std::string> steps;
  for (const StepDescription& step : executable->steps()) steps.push_back(step.op);
  EXPECT_THAT(steps, ::testing::ElementsAre("Gather", "LayerNormalization", "QuantizeRows",
                                            "FullyConnected", "FullyConnected", "FullyConnected",
                                            "Attention", "FullyConnected", "LayerNormalization",
                                            "QuantizeRows", "FullyConnected", "FullyConnected",
                                            "LayerNormalization"));
  const std::vector<RowChain>& chains = executable->compiled().chains;
  ASSERT_EQ(chains.size(), 2U);
  EXPECT_EQ(chains[0].first_step, 0);
  EXPECT_EQ(chains[0].end_step, 3);
  EXPECT_EQ(chains[1].first_step, 8);
  EXPECT_EQ(chains[1].end_step, 10);

  // What every node computes is an output: nothing can be fused, and nothing is local to a chain.
  Graph plain = graph;
  for (const Node& node : graph.nodes) {
    if (node.outputs != graph.outputs) plain.outputs.push_back(node.outputs[0]);
  }
  EXPECT_EQ(Run(executable), Run(Compile(plain)));
}

OCTET_FOR_EVERY_KERNEL_SET(FusedEncoderTest);

}  // namespace
}  // namespace octet
