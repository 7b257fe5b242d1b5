// SPDX-License-Identifier: Apache-2.0

#include "models/operators/batch_normalization.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class BatchNormalizationTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(BatchNormalizationTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

OperatorRun Norm(Dims dims, const std::vector<float>& x) {
  OperatorRun run(MakeBatchNormalization());
  run.Input(Floats(std::move(dims), x))
      .Constant(FloatConstant({2}, {2, 3}))
      .Constant(FloatConstant({2}, {0.5F, -1}))
      .Constant(FloatConstant({2}, {1, 2}))
      .Constant(FloatConstant({2}, {3, 0}))
      .With("epsilon", 1.0);
  return run;
}

TEST_P(BatchNormalizationTest, UsesTheStoredStatisticsOfTheChannel) {
  ExpectNear(Norm({1, 2, 2}, {1, 2, 3, 4}).First(Kernels()), {0.5F, -1, 2.5F, 5}, 1e-6F);
  ExpectNear(Norm({1, 2, 2}, {1, 3, 2, 4}).With("axis", std::int64_t{1}).First(Kernels()),
             {0.5F, 2.5F, -1, 5}, 1e-6F);
}

TEST_P(BatchNormalizationTest, GammaAndBetaMayBeAbsent) {
  OperatorRun run(MakeBatchNormalization());
  run.Input(Floats({1, 1}, {5}))
      .Absent()
      .Absent()
      .Constant(FloatConstant({1}, {1}))
      .Constant(FloatConstant({1}, {4}))
      .With("epsilon", 0.0);
  ExpectNear(run.First(Kernels()), {2}, 1e-6F);
}

TEST(BatchNormalizationRuleTest, RefusesWhatDoesNotFit) {
  EXPECT_EQ(Norm({1, 3}, {1, 2, 3}).InferStatus().code(), kInvalid);
  EXPECT_EQ(Norm({1, 2}, {1, 2}).With("epsilon", 0.0).InferStatus().code(), kInvalid);
  EXPECT_EQ(Norm({1, 2}, {1, 2}).With("axis", std::int64_t{0}).InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
