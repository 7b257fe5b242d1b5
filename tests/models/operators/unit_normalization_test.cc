// SPDX-License-Identifier: Apache-2.0

#include "models/operators/unit_normalization.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class UnitNormalizationTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(UnitNormalizationTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(UnitNormalizationTest, VectorsGetLengthOneAndZeroStaysZero) {
  OperatorRun last(MakeUnitNormalization());
  last.Input(Floats({2, 2}, {3, 4, 0, 0}));
  ExpectNear(last.First(Kernels()), {0.6F, 0.8F, 0, 0}, 1e-6F);
  OperatorRun middle(MakeUnitNormalization());
  middle.Input(Floats({1, 2, 2}, {3, 5, 4, 12})).With("axis", std::int64_t{1});
  ExpectNear(middle.First(Kernels()), {0.6F, 5.0F / 13, 0.8F, 12.0F / 13}, 1e-6F);
}

TEST(UnitNormalizationRuleTest, RefusesTheBatchAxis) {
  OperatorRun run(MakeUnitNormalization());
  run.Input(Floats({1, 2}, {1, 2})).With("axis", std::int64_t{-2});
  EXPECT_EQ(run.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
