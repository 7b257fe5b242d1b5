// SPDX-License-Identifier: Apache-2.0

#include "models/operators/tile.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class TileTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(TileTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(TileTest, RepeatsEachAxis) {
  OperatorRun run(MakeTile());
  run.Input(Floats({1, 2, 2}, {1, 2, 3, 4})).With("repeats", Ints{1, 2, 2});
  EXPECT_EQ(run.First(Kernels()),
            (std::vector<float>{1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4}));
}

TEST(TileRuleTest, RefusesWhatDoesNotFit) {
  for (const Ints& repeats : {Ints{2, 1}, Ints{1, 0}, Ints{1}, Ints{1, INT64_MAX}}) {
    OperatorRun run(MakeTile());
    run.Input(Floats({1, 1}, {1})).With("repeats", repeats);
    EXPECT_EQ(run.InferStatus().code(), kInvalid) << ToString(repeats);
  }
}

}  // namespace
}  // namespace octet
