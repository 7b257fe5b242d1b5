// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/drain_gate.h"

#include <thread>

#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(DrainGateTest, CountsWhoIsInside) {
  DrainGate gate;
  {
    const auto first = gate.Enter();
    DrainGate::Pass second = *gate.Enter();
    EXPECT_EQ(gate.inside(), 2);
    const DrainGate::Pass moved = std::move(second);
    EXPECT_EQ(gate.inside(), 2);
  }
  EXPECT_EQ(gate.inside(), 0);
}

TEST(DrainGateTest, CountsWhoEverCameAndWent) {
  DrainGate gate;
  EXPECT_EQ(gate.counts(), RequestCounts{});
  auto pass = gate.Enter();
  EXPECT_EQ(gate.counts(), (RequestCounts{.entered = 1, .left = 0}));
  pass.reset();
  gate.Close();
  EXPECT_FALSE(gate.Enter().has_value());
  EXPECT_EQ(gate.counts(), (RequestCounts{.entered = 1, .left = 1}));
}

TEST(DrainGateTest, NobodyEntersAfterClose) {
  DrainGate gate;
  auto pass = gate.Enter();
  gate.Close();
  EXPECT_FALSE(gate.Enter().has_value());
  EXPECT_EQ(gate.inside(), 1);
  pass.reset();
  EXPECT_TRUE(gate.WaitUntilEmpty(kNever));
}

TEST(DrainGateTest, WaitEndsWithTheLastOrAtItsTime) {
  DrainGate gate;
  auto pass = gate.Enter();
  EXPECT_FALSE(gate.WaitUntilEmpty(std::chrono::steady_clock::now()));
  std::thread leaver([&] { pass.reset(); });
  EXPECT_TRUE(gate.WaitUntilEmpty(kNever));
  leaver.join();
}

}  // namespace
}  // namespace octet
