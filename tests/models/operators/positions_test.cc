// SPDX-License-Identifier: Apache-2.0
#include "models/operators/positions.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class PositionsTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(PositionsTest);

TEST_P(PositionsTest, CountsAlongItsAxis) {
  OperatorRun run(MakePositions());
  run.Input(Floats({2, 3, 1}, {9, 9, 9, 9, 9, 9})).With("axis", std::int64_t{1}).Open(0, 1);
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ((*outputs)[0].dims(), (Dims{2, 3}));
  EXPECT_EQ(Elements<std::int32_t>((*outputs)[0]), (std::vector<std::int32_t>{0, 1, 2, 0, 1, 2}));
}

TEST_P(PositionsTest, RefusesALongerAxisThanItsLimit) {
  for (const std::int64_t limit : {2, 3}) {
    OperatorRun run(MakePositions());
    run.Input(Floats({1, 3}, {9, 9, 9})).With("axis", std::int64_t{1}).With("limit", limit);
    const auto outputs = run.Open(0, 1).Run(Kernels());
    EXPECT_EQ(outputs.ok(), limit == 3);
    if (limit == 2) {
      EXPECT_THAT(std::string(outputs.status().message()), HasSubstr("wants at most 2"));
    }
  }
}

TEST(PositionsRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  OperatorRun rows(MakePositions());
  EXPECT_THAT(message(rows.Input(Floats({2, 3}, {1, 2, 3, 4, 5, 6})).With("axis", std::int64_t{0})),
              HasSubstr("axis"));
  OperatorRun negative(MakePositions());
  EXPECT_THAT(message(negative.Input(Floats({1, 2}, {1, 2})).With("limit", std::int64_t{-1})),
              HasSubstr("limit"));
  OperatorRun vector(MakePositions());
  EXPECT_THAT(message(vector.Input(Floats({2}, {1, 2}))), HasSubstr("dimensions"));
}

}  // namespace
}  // namespace octet
