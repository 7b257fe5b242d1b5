// SPDX-License-Identifier: Apache-2.0
// The runtime with the real operators and kernels, over every kernel set that runs here.

#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/operators/operators.h"
#include "models/runtime/self_test.h"
#include "models/runtime/session.h"
#include "models/runtime/step_comparison.h"
#include "tests/support/run_operator.h"
#include "tests/support/small_network.h"

namespace octet {
namespace {

using testing::SmallImages;
using testing::SmallNetwork;

class BuiltInOperatorsTest : public OperatorTest {
 protected:
  static std::shared_ptr<const Executable> Compile(const Graph& graph,
                                                   const OperatorRegistry& operators,
                                                   const kernels::KernelSet& kernels,
                                                   std::int64_t max_rows = 64) {
    auto executable = Executable::Compile(graph, operators, kernels, {.max_rows = max_rows});
    EXPECT_TRUE(executable.ok()) << executable.status();
    return *executable;
  }

  static std::vector<float> Run(const std::shared_ptr<const Executable>& executable,
                                const Tensor& images) {
    Arena arena;
    const auto session = Session::Create(executable, arena).value();
    const TensorView input = images.view();
    std::vector<Dims> dims;
    EXPECT_TRUE(session->OutputDims({&input, 1}, dims).ok());
    Tensor output(DataType::kFloat32, dims[0]);
    const MutableTensorView view = output.mutable_view();
    EXPECT_TRUE(session->Run({&input, 1}, {&view, 1}).ok());
    return Elements<float>(output);
  }

  const OperatorRegistry operators_ = BuiltInOperators();
};

TEST_P(BuiltInOperatorsTest, EveryStepAgreesWithTheReference) {
  const Graph graph = SmallNetwork().graph;
  std::vector<Tensor> inputs;
  inputs.push_back(SmallImages(5));
  const absl::Status status = CompareStepsWithReference(*Compile(graph, operators_, Kernels()),
                                                        graph, operators_, inputs, 1e-5);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_P(BuiltInOperatorsTest, PackedWeightsAreThoseOfAllSteps) {
  const auto executable = Compile(SmallNetwork().graph, operators_, Kernels());
  std::size_t byte_size = 0;
  for (const StepDescription& step : executable->steps()) byte_size += step.packed_byte_size;
  EXPECT_GT(byte_size, 0U);
  EXPECT_EQ(executable->packed_byte_size(), byte_size);
}

TEST_P(BuiltInOperatorsTest, PassesLeaveFewerStepsAndTheSameAnswers) {
  const Graph graph = SmallNetwork().graph;
  const auto executable = Compile(graph, operators_, Kernels());
  // conv with its normalization and relu, pool, depth, add, head; flatten takes no step.
  EXPECT_EQ(executable->steps().size(), 5U);
  // With the results before them as outputs, normalization and relu cannot be taken in.
  Graph unfused = graph;
  for (const Value& value : graph.values) {
    if (value.name == "conv/out" || value.name == "norm/out") {
      unfused.outputs.push_back(static_cast<ValueId>(&value - graph.values.data()));
    }
  }
  const auto plain = Compile(unfused, operators_, Kernels());
  EXPECT_EQ(plain->steps().size(), 7U);

  const Tensor images = SmallImages(3);
  Arena arena;
  const auto session = Session::Create(plain, arena).value();
  const TensorView input = images.view();
  std::vector<Dims> dims;
  ASSERT_TRUE(session->OutputDims({&input, 1}, dims).ok());
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> views;
  for (const Dims& output_dims : dims) outputs.emplace_back(DataType::kFloat32, output_dims);
  for (Tensor& output : outputs) views.push_back(output.mutable_view());
  ASSERT_TRUE(session->Run({&input, 1}, views).ok());
  ExpectNear(Run(executable, images), Elements<float>(outputs[0]), 2e-6F);
}

TEST_P(BuiltInOperatorsTest, EveryStepOfAnOpenLengthAgreesWithTheReference) {
  const Graph graph = testing::OpenSequenceNetwork();
  const auto executable = Compile(graph, operators_, Kernels());
  for (const std::int64_t length : {5, 6, 7, 64, 301}) {
    std::vector<Tensor> inputs;
    const auto size = static_cast<std::size_t>(3 * length * 4);
    inputs.push_back(Floats({3, length, 1, 4}, Noise(size, 1)));
    const absl::Status status =
        CompareStepsWithReference(*executable, graph, operators_, inputs, 1e-5);
    EXPECT_TRUE(status.ok()) << "length " << length << ": " << status;
  }
}

TEST_P(BuiltInOperatorsTest, ASequenceTooShortForAKernelIsRefused) {
  Arena arena;
  const auto executable = Compile(testing::OpenSequenceNetwork(), operators_, Kernels());
  const auto session = Session::Create(executable, arena).value();
  Tensor output(DataType::kFloat32, {2, 1, 6});
  const MutableTensorView view = output.mutable_view();
  for (const std::int64_t length : {1, 2, 3, 4}) {
    const auto size = static_cast<std::size_t>(2 * length * 4);
    const Tensor sequence = Floats({2, length, 1, 4}, Noise(size, 1));
    const TensorView input = sequence.view();
    const absl::Status status = session->Run({&input, 1}, {&view, 1});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_NE(status.message().find("Conv2d \"conv\""), absl::string_view::npos) << status;
  }
  const Tensor sequence = Floats({2, 5, 1, 4}, Noise(40, 1));
  const TensorView input = sequence.view();
  EXPECT_EQ(session->Run({&input, 1}, {&view, 1}), absl::OkStatus());
}

TEST_P(BuiltInOperatorsTest, SplitRowsGiveTheSameBits) {
  const Graph graph = SmallNetwork().graph;
  const Tensor images = SmallImages(11);
  const std::vector<float> whole = Run(Compile(graph, operators_, Kernels()), images);
  EXPECT_EQ(Run(Compile(graph, operators_, Kernels(), 4), images), whole);
  EXPECT_EQ(Run(Compile(graph, operators_, Kernels(), 1), images), whole);
  for (std::size_t row = 0; row < 11; ++row) {
    double sum = 0;
    for (std::size_t i = 0; i < 10; ++i) sum += static_cast<double>(whole[row * 10 + i]);
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(KernelSets, BuiltInOperatorsTest,
                         ::testing::ValuesIn(RunnableKernelSets()), KernelSetName);

}  // namespace
}  // namespace octet
