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

#include "models/importers/graph_builder.h"
#include "models/operators/operators.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"
#include "tests/support/run_operator.h"

namespace octet {
namespace {

constexpr std::int64_t kVocabulary = 50;
constexpr std::int64_t kWidth = 48;
constexpr std::int64_t kHeads = 3;
constexpr std::int64_t kHidden = 96;
constexpr std::int64_t kRowCount = 3;
constexpr std::int64_t kLength = 67;

class Encoder {
 public:
  // tokens [rows, length] -> [rows, length, kWidth].
  Graph Build() {
    const Dim length = builder_.OpenDimension("length");
    const ValueId tokens =
        builder_.AddInput("tokens", {DataType::kInt32, {Dim(kRows), length}, std::nullopt});
    const ValueId table = Constant({kVocabulary, kWidth});
    const ValueId x = Normalize("embedding/norm", Emit("Gather", "embedding", {tokens, table}));
    const auto heads = [&](const std::string& name) {
      return Emit("Reshape", name + "/heads", {Dense(name, x, kWidth, kWidth)},
                  {{"shape", std::vector<std::int64_t>{0, 0, kHeads, kWidth / kHeads}}});
    };
    const ValueId attention =
        Emit("Attention", "attention", {heads("query"), heads("key"), heads("value")},
             {{"scale", 0.25}});
    const ValueId joined = Emit("Reshape", "joined", {attention},
                                {{"shape", std::vector<std::int64_t>{0, 0, kWidth}}});
    const ValueId attended = Normalize(
        "attention/norm",
        Emit("Add", "attention/residual", {x, Dense("projection", joined, kWidth, kWidth)}));
    const ValueId hidden =
        Emit("Activation", "hidden/gelu", {Dense("hidden", attended, kWidth, kHidden)},
             {{"activation", "gelu"}});
    const ValueId y = Normalize(
        "norm", Emit("Add", "residual", {Dense("output", hidden, kHidden, kWidth), attended}));
    return builder_.Finish({y}, {"y"}).value();
  }

 private:
  ValueId Emit(const std::string& op, const std::string& name, std::vector<ValueId> inputs,
               Attributes attributes = {}) {
    return builder_.Emit(op, name, std::move(inputs), std::move(attributes)).value();
  }
  ValueId Constant(Dims dims) {
    const auto values = Noise(static_cast<std::size_t>(NumElements(dims)), ++seed_);
    return builder_.AddConstant("constant" + std::to_string(seed_),
                                FloatConstant(std::move(dims), values));
  }
  ValueId Normalize(const std::string& name, ValueId x) {
    return Emit("LayerNormalization", name, {x, Constant({kWidth}), Constant({kWidth})});
  }
  ValueId Dense(const std::string& name, ValueId x, std::int64_t k, std::int64_t n) {
    const auto weights = Int8Noise(static_cast<std::size_t>(k * n), ++seed_);
    const ValueId weight =
        builder_.AddConstant(name + "/w", ConstantTensor::Copy(DataType::kInt8, {k, n}, weights));
    const ValueId scale = builder_.AddConstant(
        name + "/scale",
        FloatConstant({n}, std::vector<float>(static_cast<std::size_t>(n), 300.0F)));
    return Emit("FullyConnected", name, {x, weight, scale, kNoValue, Constant({n})},
                {{"activation_quantization", "dynamic"}});
  }

  const OperatorRegistry operators_ = BuiltInOperators();
  GraphBuilder builder_{operators_};
  std::uint32_t seed_ = 0;
};

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
      tokens[i] = static_cast<std::int32_t>(i * 7 % static_cast<std::size_t>(kVocabulary));
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
  const Graph graph = Encoder().Build();
  const auto executable = Compile(graph);
  std::vector<std::string> steps;
  for (const StepDescription& step : executable->steps()) steps.push_back(step.op);
  EXPECT_THAT(
      steps, testing::ElementsAre("Gather", "LayerNormalization", "QuantizeRows", "FullyConnected",
                                  "FullyConnected", "FullyConnected", "Attention", "FullyConnected",
                                  "LayerNormalization", "QuantizeRows", "FullyConnected",
                                  "FullyConnected", "LayerNormalization"));
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
