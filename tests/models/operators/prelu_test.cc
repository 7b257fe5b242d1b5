// SPDX-License-Identifier: Apache-2.0

#include "models/operators/prelu.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class PReluTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(PReluTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(PReluTest, TheSlopeIsBroadcast) {
  OperatorRun run(MakePRelu());
  run.Input(Floats({2, 2}, {-1, -2, 3, -4})).Constant(FloatConstant({2}, {0.5F, 2}));
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{-0.5F, -4, 3, -8}));
}

TEST(PReluRuleTest, RefusesASlopeThatWouldStretchTheInput) {
  OperatorRun run(MakePRelu());
  run.Input(Floats({1, 1}, {-1})).Constant(FloatConstant({2}, {0.5F, 2}));
  EXPECT_EQ(run.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
