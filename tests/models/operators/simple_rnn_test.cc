// SPDX-License-Identifier: Apache-2.0

#include "models/operators/simple_rnn.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class SimpleRnnTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(SimpleRnnTest);

OperatorRun Rnn() {
  OperatorRun run(MakeSimpleRnn());
  run.Input(Floats({1, 3, 1}, {1, 2, 3}))
      .Constant(FloatConstant({1, 2}, {1, -1}))
      .Constant(FloatConstant({2, 2}, {0, 1, 2, 0}))
      .Constant(FloatConstant({2}, {0.5F, 0}))
      .With("activation", "linear")
      .With("return_sequences", std::int64_t{1});
  return run;
}

TEST_P(SimpleRnnTest, AddsTheRecurrentProduct) {
  // h1 = [1.5, -1]; h2 = [2.5 - 2, -2 + 1.5]; h3 = [3.5 - 1, -3 + 0.5].
  ExpectNear(Rnn().First(Kernels()), {1.5F, -1, 0.5F, -0.5F, 2.5F, -2.5F}, 1e-6F);
}

TEST_P(SimpleRnnTest, GoesBackwardsAndStartsFromAState) {
  auto run = Rnn();
  run.Absent().Input(Floats({1, 2}, {1, 1})).With("go_backwards", std::int64_t{1}).Outputs(2);
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  // From [1, 1]: [3.5 + 2, -3 + 1]; [2.5 - 4, -2 + 5.5]; [1.5 + 7, -1 - 1.5].
  ExpectNear(Elements<float>((*outputs)[0]), {5.5F, -2, -1.5F, 3.5F, 8.5F, -2.5F}, 1e-6F);
  ExpectNear(Elements<float>((*outputs)[1]), {8.5F, -2.5F}, 1e-6F);
}

// Two rows of two sequences, which begin with the constant's two states.
TEST_P(SimpleRnnTest, AConstantStateServesEveryRow) {
  OperatorRun run(MakeSimpleRnn());
  run.Input(Floats({2, 2, 1, 1}, {1, 2, 3, 4}))
      .Constant(FloatConstant({1, 1}, {1}))
      .Constant(FloatConstant({1, 1}, {1}))
      .Absent()
      .Absent()
      .Constant(FloatConstant({1, 2, 1}, {10, 20}))
      .With("activation", "linear");
  ExpectNear(run.First(Kernels()), {11, 22, 13, 24});
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{2, 2, 1}));
}

TEST(SimpleRnnRuleTest, RefusesAStateThatDoesNotFit) {
  for (const Dims& dims : {Dims{2, 2, 1}, Dims{1, 2}, Dims{1, 1, 2}, Dims{1, 2, 1, 1}}) {
    OperatorRun run(MakeSimpleRnn());
    run.Input(Floats({2, 2, 1, 1}, {1, 2, 3, 4}))
        .Constant(FloatConstant({1, 1}, {1}))
        .Constant(FloatConstant({1, 1}, {1}))
        .Absent()
        .Absent()
        .Constant(
            FloatConstant(dims, std::vector<float>(static_cast<std::size_t>(NumElements(dims)))));
    EXPECT_EQ(run.InferStatus().code(), absl::StatusCode::kInvalidArgument) << ToString(dims);
  }
}

TEST(SimpleRnnRuleTest, RefusesAMaskThatDoesNotFit) {
  auto run = Rnn();
  run.Input(Bools({1, 2}, {1, 1}));
  EXPECT_EQ(run.InferStatus().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
