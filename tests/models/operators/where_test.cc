// SPDX-License-Identifier: Apache-2.0

#include "models/operators/where.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class WhereTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(WhereTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(WhereTest, AllThreeAreBroadcast) {
  OperatorRun run(MakeWhere());
  run.Input(Bools({2, 1}, {2, 0}))
      .Input(Floats({2, 2}, {1, 2, 3, 4}))
      .Constant(FloatConstant({1}, {-1}));
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{1, 2, -1, -1}));
}

TEST(WhereRuleTest, RefusesWhatDoesNotFit) {
  OperatorRun types(MakeWhere());
  types.Input(Bools({1, 1}, {1})).Input(Floats({1, 1}, {1})).Input(Bools({1, 1}, {1}));
  EXPECT_EQ(types.InferStatus().code(), kInvalid);
  OperatorRun condition(MakeWhere());
  condition.Input(Floats({1, 1}, {1})).Input(Floats({1, 1}, {1})).Input(Floats({1, 1}, {1}));
  EXPECT_EQ(condition.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
