// SPDX-License-Identifier: Apache-2.0

#include "models/operators/group_normalization.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class GroupNormalizationTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(GroupNormalizationTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

OperatorRun Norm(std::int64_t groups) {
  OperatorRun run(MakeGroupNormalization());
  run.Input(Floats({1, 2, 4}, {1, 3, 10, 10, 1, 3, 20, 20}))
      .Constant(FloatConstant({4}, {1, 1, 2, 1}))
      .Constant(FloatConstant({4}, {0, 0.5F, 0, 0}))
      .With("groups", groups)
      .With("epsilon", 1e-12);
  return run;
}

TEST_P(GroupNormalizationTest, EachGroupHasItsOwnStatistics) {
  ExpectNear(Norm(2).First(Kernels()), {-1, 1.5F, -2, -1, -1, 1.5F, 2, 1}, 1e-6F);
}

TEST(GroupNormalizationRuleTest, RefusesGroupsThatDoNotDivide) {
  EXPECT_EQ(Norm(3).InferStatus().code(), kInvalid);
  EXPECT_EQ(Norm(0).InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
