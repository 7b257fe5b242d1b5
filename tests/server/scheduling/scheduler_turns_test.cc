// SPDX-License-Identifier: Apache-2.0
// Requests of many rows take their turn with others.

#include <chrono>
#include <memory>
#include <thread>

#include "gtest/gtest.h"

#include "tests/server/scheduling/scheduler_test_base.h"
#include "tests/support/gated_model.h"

namespace octet {
namespace {

using testing::Gate;
using testing::Outcome;

class SchedulerTurnsTest : public testing::SchedulerTestBase {
 protected:
  SchedulerTurnsTest()
      : SchedulerTestBase(
            {.compute_threads = 1,
             .batching = {
                 .hand_over_above = {}, .split_above = {}, .min_part = {}, .max_part = {}}}) {}
  ~SchedulerTurnsTest() override {
    compute_gate_.Open();
    Stop();
  }

  // Starts, and lets the scheduler see how long a batch of the gated model takes; no more than one
  // row of it pays.
  void StartAndLearn() {
    scheduler_.Start(events_);
    ASSERT_TRUE(scheduler_.Prepare(gated_).ok());
    scheduler_.LimitBatches(*gated_, 1);
    compute_gate_.Open();
    Send({.rows = 8}, gated_);
    ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
    ASSERT_TRUE(scheduler_.Prepare(model_).ok());
    compute_gate_.Close();
  }

  const TimePoint until_ = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  Gate compute_gate_;
  const OperatorRegistry gated_operators_ = testing::GatedOperators(compute_gate_);
  const std::shared_ptr<const Executable> gated_ = testing::GatedModel(gated_operators_);
};

TEST_F(SchedulerTurnsTest, OthersGoBetweenTheRowsOfALargeRequest) {
  StartAndLearn();
  const auto large = Send({.rows = 8, .first = 100}, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(1, until_));
  DrainGate gate;
  const auto small = Send({.first = 7}, model_, gate);
  ASSERT_TRUE(events_.AwaitIdle(until_)) << "it was not admitted";
  // The second row, whose first number is 103, is not let through: who is answered now went before.
  compute_gate_.Let([](float number) { return number < 103; });
  ASSERT_TRUE(gate.WaitUntilEmpty(until_)) << "the large request keeps the worker";
  EXPECT_TRUE(small->status.ok());
  EXPECT_EQ(large->completions, 0);
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  ASSERT_TRUE(large->status.ok()) << large->status;
  ASSERT_EQ(large->values.size(), 24U);
  for (std::size_t i = 0; i < large->values.size(); ++i) {
    EXPECT_EQ(large->values[i], 2 * (100 + static_cast<float>(i)));
  }
}

TEST_F(SchedulerTurnsTest, WhoHasGivenUpIsNotComputedToTheEnd) {
  StartAndLearn();
  const TimePoint deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  const auto large = Send({.rows = 8, .first = 100, .deadline = deadline}, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(1, until_));
  std::this_thread::sleep_until(deadline);
  // What comes behind the first row would wait for ever.
  compute_gate_.Let([](float number) { return number < 103; });
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  EXPECT_TRUE(absl::IsDeadlineExceeded(large->status)) << large->status;
}

}  // namespace
}  // namespace octet
