// SPDX-License-Identifier: Apache-2.0

#include "models/operators/concat.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ConcatTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ConcatTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(ConcatTest, JoinsAlongAnyAxisButTheBatch) {
  OperatorRun last(MakeConcat());
  last.Input(Floats({2, 1}, {1, 2})).Input(Floats({2, 2}, {3, 4, 5, 6}));
  EXPECT_EQ(last.First(Kernels()), (std::vector<float>{1, 3, 4, 2, 5, 6}));
  OperatorRun middle(MakeConcat());
  middle.Input(Int8s({2, 1, 2}, {1, 2, 3, 4}), Quantization(0.5F, 1))
      .Input(Int8s({2, 1, 2}, {5, 6, 7, 8}), Quantization(0.5F, 1))
      .With("axis", std::int64_t{1});
  EXPECT_EQ(middle.First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{1, 2, 5, 6, 3, 4, 7, 8}));
}

TEST_P(ConcatTest, LeavesAloneWhatLiesInPlace) {
  const auto concat = MakeConcat();
  const std::vector<TensorType> types(2, {DataType::kFloat32, {Dim(kRows), 2}, std::nullopt});
  const std::vector<const ConstantTensor*> constants(2, nullptr);
  const Node node{"node", "Concat", {0, 1}, {2}, {}};
  const auto outputs = concat->InferOutputs(node, types, constants).value();
  const auto step =
      concat
          ->Prepare({.node = node,
                     .inputs = types,
                     .outputs = outputs,
                     .constants = constants,
                     .kernels = Kernels(),
                     .max_rows = 1,
                     .choose_implementation = [](auto...) { return std::string_view(); }})
          .value();
  Tensor joined = Floats({1, 4}, {1, 2, 3, 4});
  const Tensor other = Floats({1, 2}, {5, 6});
  const TensorView lies_there{DataType::kFloat32, other.dims(), joined.bytes().data()};
  const MutableTensorView output = joined.mutable_view();
  step->Run(
      {.inputs = std::vector{lies_there, other.view()}, .outputs = {&output, 1}, .scratch = {}});
  EXPECT_EQ(Elements<float>(joined), (std::vector<float>{1, 2, 5, 6}));
}

TEST(ConcatRuleTest, SaysWhichAxisItJoins) {
  const auto concat = MakeConcat();
  Node node{"node", "Concat", {0, 1}, {2}, {}};
  EXPECT_EQ(concat->JoinedAxis(node, 4), 3U);
  node.attributes["axis"] = std::int64_t{1};
  EXPECT_EQ(concat->JoinedAxis(node, 4), 1U);
}

TEST(ConcatRuleTest, RefusesWhatDoesNotFit) {
  OperatorRun batch(MakeConcat());
  batch.Input(Floats({1, 1}, {1})).With("axis", std::int64_t{0});
  EXPECT_EQ(batch.InferStatus().code(), kInvalid);
  OperatorRun shapes(MakeConcat());
  shapes.Input(Floats({1, 1, 1}, {1})).Input(Floats({1, 2, 1}, {1, 2}));
  EXPECT_EQ(shapes.InferStatus().code(), kInvalid);
  OperatorRun scales(MakeConcat());
  scales.Input(Int8s({1, 1}, {1}), Quantization(1, 0))
      .Input(Int8s({1, 1}, {1}), Quantization(2, 0));
  EXPECT_EQ(scales.InferStatus().code(), kInvalid);
  EXPECT_EQ(OperatorRun(MakeConcat()).InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
