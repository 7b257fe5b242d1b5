// SPDX-License-Identifier: Apache-2.0

#include "models/operators/expand.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ExpandTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ExpandTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(ExpandTest, StretchesDimensionsOfOne) {
  OperatorRun run(MakeExpand());
  run.Input(Floats({2, 1, 2}, {1, 2, 3, 4})).With("shape", Ints{0, 2, 0});
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{1, 2, 1, 2, 3, 4, 3, 4}));
}

TEST(ExpandRuleTest, RefusesWhatDoesNotFit) {
  for (const Ints& shape : {Ints{0, 3}, Ints{2, 2}, Ints{0}, Ints{1, 0, 2}, Ints{0, -1}}) {
    OperatorRun run(MakeExpand());
    run.Input(Floats({2, 2}, {1, 2, 3, 4})).With("shape", shape);
    EXPECT_EQ(run.InferStatus().code(), kInvalid) << ToString(shape);
  }
}

}  // namespace
}  // namespace octet
