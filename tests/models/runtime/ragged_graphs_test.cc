// SPDX-License-Identifier: Apache-2.0
// Whatever the graph, a ragged batch is answered as its sequences are alone: steps of every kind at
// random, in chains, in place, with and without an axis of the length.

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "models/importers/graph_builder.h"
#include "models/operators/operators.h"
#include "models/runtime/session.h"
#include "tests/support/ragged_batches.h"
#include "tests/support/run_operator.h"

namespace octet {
namespace {

using Ints = std::vector<std::int64_t>;

// Over "x" [rows, length, 6] and "tokens" [rows, length], whose length is 2 or more. Nodes that
// would not fit are left out.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint32_t seed) : random_(seed) {
    const Dim length = builder_.OpenDimension("length");
    values_ = {builder_.AddInput("x", {DataType::kFloat32, {Dim(kRows), length, 6}, std::nullopt})};
    const ValueId tokens =
        builder_.AddInput("tokens", {DataType::kInt32, {Dim(kRows), length}, std::nullopt});
    const ValueId table = Constant({50, 6});
    Add("Gather", {tokens, table});
    Add("Gather", {builder_.Emit("Positions", "positions", {tokens}).value(), Constant({90, 6})});
  }

  Graph Build(std::size_t num_values) {
    for (int tries = 0; values_.size() < num_values && tries < 1000; ++tries) AddAny();
    std::vector<ValueId> outputs = {values_.back()};
    while (outputs.size() < 3) {
      const ValueId output = values_[1 + Below(values_.size() - 1)];
      if (std::ranges::count(outputs, output) == 0) outputs.push_back(output);
    }
    return builder_.Finish(outputs, {"a", "b", "c"}).value();
  }

 private:
  void AddAny() {
    const ValueId a = Any();
    const ValueId b = Any();
    const auto axis = static_cast<std::int64_t>(1 + Below(2));
    switch (Below(11)) {
      case 0:
        return Add("Activation", {a}, {{"activation", "square"}});
      case 1:
        return Add("Activation", {a}, {{"activation", "negative"}});
      case 2:
        return Add("Add", {a, b});
      case 3:
        return Add("Concat", {a, b}, {{"axis", axis}});
      case 4:
        return Add("Slice", {a}, {{"axes", Ints{axis}}, {"starts", Ints{1}}, {"ends", Ints{3}}});
      case 5:
        return Add("Slice", {a}, {{"axes", Ints{1}}, {"starts", Ints{0}}, {"ends", Ints{-1}}});
      case 6:
        return Add("Softmax", {a}, {{"axis", axis}});
      case 7:
        return Add("Reduce", {a},
                   {{"kind", "mean"}, {"axes", Ints{axis}}, {"keep_dims", std::int64_t{1}}});
      case 8:
        return Add("Transpose", {a}, {{"permutation", Ints{0, 2, 1}}});
      case 9:
        return Add("Reshape", {a}, {{"shape", Ints{0, -1, 3}}});
      default:
        return AddProduct(a);
    }
  }

  void AddProduct(ValueId x) {
    const Dim& last = builder_.ShapeOf(x).back();
    if (!last.is_constant() || last.value() < 1 || last.value() > 64) return;
    const std::int64_t k = last.value();
    const auto n = static_cast<std::int64_t>(1 + Below(7));
    const auto weights = Int8Noise(static_cast<std::size_t>(k * n), ++seed_);
    const ValueId weight = builder_.AddConstant(
        "w" + std::to_string(seed_), ConstantTensor::Copy(DataType::kInt8, {k, n}, weights));
    Add("FullyConnected", {x, weight, Constant({n})}, {{"activation_quantization", "dynamic"}});
  }

  void Add(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    const auto made = builder_.Emit(op, op, std::move(inputs), std::move(attributes));
    if (made.ok()) values_.push_back(*made);
  }
  ValueId Constant(Dims dims) {
    const auto values = Noise(static_cast<std::size_t>(NumElements(dims)), ++seed_);
    return builder_.AddConstant("c" + std::to_string(seed_),
                                FloatConstant(std::move(dims), values));
  }
  std::size_t Below(std::size_t limit) { return random_() % limit; }
  // Rather a late one.
  ValueId Any() { return values_[std::max(Below(values_.size()), Below(values_.size()))]; }

  const OperatorRegistry operators_ = BuiltInOperators();
  GraphBuilder builder_{operators_};
  std::mt19937 random_;
  std::vector<ValueId> values_;
  std::uint32_t seed_ = 0;
};

class RaggedGraphsTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(RaggedGraphsTest);

TEST_P(RaggedGraphsTest, AnswersAreThoseOfEachSequenceAlone) {
  const OperatorRegistry operators = BuiltInOperators();
  std::mt19937 random(11);
  std::size_t num_runs = 0;
  std::size_t num_merged = 0;
  std::size_t num_chains = 0;
  std::size_t num_subviews = 0;
  for (std::uint32_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    const auto executable =
        Executable::Compile(RandomGraph(seed).Build(24), operators, Kernels(), {.max_rows = 8});
    ASSERT_TRUE(executable.ok()) << executable.status();
    if (!(*executable)->may_be_ragged()) continue;
    for (const CompiledStep& step : (*executable)->compiled().steps) {
      num_merged += step.position_dims > 0 ? 1U : 0U;
    }
    num_chains += (*executable)->compiled().chains.size();
    num_subviews += (*executable)->compiled().subviews.size();
    RaggedBatch batch(2);
    while (batch.size() < 5) {
      batch.Append(Ints{static_cast<std::int64_t>(1 + random() % 3),
                        static_cast<std::int64_t>(2 + random() % 70)});
    }
    const std::vector<Tensor> inputs = testing::PackedInputs(**executable, batch);
    Arena arena;
    const auto session = Session::Create(*executable, arena).value();
    const auto want = testing::RunAlone(*session, batch, inputs);
    std::ranges::fill(arena.bytes(), std::byte{0xFF});
    const auto got = testing::RunRagged(*session, batch, inputs);
    ASSERT_EQ(got.ok(), want.ok()) << got.status() << want.status();
    if (!want.ok()) continue;
    ++num_runs;
    for (std::size_t i = 0; i < want->size(); ++i) {
      ASSERT_EQ((*got)[i].size(), (*want)[i].size());
      EXPECT_EQ((*got)[i], (*want)[i]) << "output " << i;
    }
    if (HasFailure()) break;
  }
  EXPECT_GT(num_runs, 80U);
  EXPECT_GT(num_merged, 300U);
  EXPECT_GT(num_chains, 50U);
  EXPECT_GT(num_subviews, 50U);
}

}  // namespace
}  // namespace octet
