// SPDX-License-Identifier: Apache-2.0
// A graph whose attention is fused answers as its nodes would one by one.

#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "models/operators/operators.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"
#include "tests/support/attention_network.h"
#include "tests/support/run_operator.h"

namespace octet {
namespace {

constexpr std::int64_t kNumRows = 2;
constexpr std::int64_t kLength = 70;  // more than one block of queries

std::vector<Tensor> Inputs(bool has_mask) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < 3; ++i) {
    Tensor tensor(DataType::kFloat32,
                  {kNumRows, kLength, testing::kAttentionHeads, testing::kAttentionWidth});
    const std::span<float> elements(tensor.mutable_view().as<float>(), tensor.bytes().size() / 4);
    for (std::size_t j = 0; j < elements.size(); ++j) {
      elements[j] = std::sin(static_cast<float>(j * (i + 2)) * 0.37F) * 2;
    }
    inputs.push_back(std::move(tensor));
  }
  if (has_mask) {
    Tensor mask(DataType::kBool, {kNumRows, 1, 1, kLength});
    auto* keep = mask.mutable_view().as<std::uint8_t>();
    for (std::int64_t j = 0; j < kLength; ++j) keep[j] = j % 3 == 0 ? 0 : 1;
    for (std::int64_t j = kLength; j < 2 * kLength; ++j) keep[j] = 0;  // nothing to attend to
    inputs.push_back(std::move(mask));
  }
  return inputs;
}

struct Answer {
  std::size_t num_steps;
  std::vector<float> y;
};

Answer AnswerOf(const Graph& graph, const kernels::KernelSet& kernels,
                std::span<const Tensor> inputs) {
  const auto executable = Executable::Compile(graph, BuiltInOperators(), kernels).value();
  Arena arena;
  const auto session = Session::Create(executable, arena).value();
  std::vector<TensorView> in;
  for (const Tensor& input : inputs) in.push_back(input.view());
  std::vector<Dims> dims;
  EXPECT_TRUE(session->OutputDims(in, dims).ok());
  std::vector<Tensor> outputs;
  for (const Dims& d : dims) outputs.emplace_back(DataType::kFloat32, d);
  std::vector<MutableTensorView> out;
  for (Tensor& output : outputs) out.push_back(output.mutable_view());
  EXPECT_TRUE(session->Run(in, out).ok());
  const auto y = outputs[0].as<float>();
  return {executable->steps().size(), {y.begin(), y.end()}};
}

class FusedAttentionTest : public OperatorTest {};

TEST_P(FusedAttentionTest, AnswersAsTheNodesDo) {
  for (const auto scaling : {testing::Scaling::kScores, testing::Scaling::kQueryAndKey}) {
    for (const bool has_mask : {false, true}) {
      const Graph graph = testing::AttentionNetwork({.scaling = scaling, .has_mask = has_mask});
      Graph unfused = graph;  // an output that is needed keeps the nodes
      for (std::size_t i = 0; i < graph.values.size(); ++i) {
        if (graph.values[i].name == "scores") unfused.outputs.push_back(static_cast<ValueId>(i));
      }
      const std::vector<Tensor> inputs = Inputs(has_mask);
      const Answer fused = AnswerOf(graph, Kernels(), inputs);
      const Answer wanted = AnswerOf(unfused, Kernels(), inputs);
      EXPECT_EQ(fused.num_steps, 1U);
      EXPECT_GT(wanted.num_steps, 5U);
      ASSERT_EQ(fused.y.size(), wanted.y.size());
      for (std::size_t i = 0; i < fused.y.size(); ++i) {
        ASSERT_NEAR(fused.y[i], wanted.y[i], 2e-6) << i;
      }
    }
  }
}

OCTET_FOR_EVERY_KERNEL_SET(FusedAttentionTest);

}  // namespace
}  // namespace octet
