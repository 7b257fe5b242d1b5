// SPDX-License-Identifier: Apache-2.0

#include "models/operators/logic.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class LogicTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(LogicTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(LogicTest, AnyByteButZeroIsTrue) {
  const auto run = [&](std::unique_ptr<const Operator> op) {
    OperatorRun node(std::move(op));
    node.Input(Bools({1, 4}, {0, 2, 0, 4})).Input(Bools({1, 4}, {0, 0, 1, 1}));
    return node.First<std::uint8_t>(Kernels());
  };
  EXPECT_EQ(run(MakeAnd()), (std::vector<std::uint8_t>{0, 0, 0, 1}));
  EXPECT_EQ(run(MakeOr()), (std::vector<std::uint8_t>{0, 1, 1, 1}));
  OperatorRun negation(MakeNot());
  negation.Input(Bools({1, 2}, {0, 2}));
  EXPECT_EQ(negation.First<std::uint8_t>(Kernels()), (std::vector<std::uint8_t>{1, 0}));
}

TEST(LogicRuleTest, RefusesNumbers) {
  OperatorRun run(MakeNot());
  run.Input(Floats({1, 1}, {1}));
  EXPECT_EQ(run.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
