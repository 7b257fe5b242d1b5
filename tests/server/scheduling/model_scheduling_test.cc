// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/model_scheduling.h"

#include "gtest/gtest.h"

#include "server/scheduling/queue_policy.h"

namespace octet {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr TimePoint kArrival = TimePoint(100s);

TEST(ModelSchedulingTest, ARequestWaitsAtItsLevelOrAtTheDefault) {
  const ModelScheduling none;
  EXPECT_EQ(LevelOf(none, 0), 0U);
  EXPECT_EQ(LevelOf(none, 9), 0U);
  const ModelScheduling three = {.priority_levels = 3, .default_level = 2};
  EXPECT_EQ(LevelOf(three, 0), 2U);
  EXPECT_EQ(LevelOf(three, 1), 1U);
  EXPECT_EQ(LevelOf(three, 3), 3U);
  EXPECT_EQ(LevelOf(three, 4), 2U);
  EXPECT_EQ(LevelOf(three, ~std::uint64_t{0}), 2U);
  EXPECT_EQ(LevelsBehind(three, 1), -1);
  EXPECT_EQ(LevelsBehind(three, 2), 0);
  EXPECT_EQ(LevelsBehind(none, 0), 0);
}

// Levels go one before the other, whatever the deadlines; and one that has waited long goes first.
TEST(ModelSchedulingTest, LevelsGoInOrderAndAge) {
  const QueuePolicy policy;
  const TimePoint urgent = DueTime(policy, kArrival, kArrival + 1ms, /*levels_behind=*/1);
  EXPECT_GT(urgent, DueTime(policy, kArrival, kNever, 0));
  EXPECT_GT(DueTime(policy, kArrival, kNever, 0), DueTime(policy, kArrival + 8s, kNever, -1));
  EXPECT_LT(DueTime(policy, kArrival, kNever, 1), DueTime(policy, kArrival + 11s, kNever, 0));
  EXPECT_GT(DelayedDueTime(policy, kArrival), DueTime(policy, kArrival + 60s, kNever, 64));
}

struct LimitsCase {
  const char* what;
  WaitingPolicy policy;
  std::chrono::nanoseconds timeout;
  std::chrono::nanoseconds start_by{0};  // after the arrival; 0: never
  std::chrono::nanoseconds delay_at{0};
};

TEST(ModelSchedulingTest, TimeoutsAreThoseOfTheModelWhereItHasAny) {
  constexpr auto kDelay = TimeoutAction::kDelay;
  const LimitsCase cases[] = {
      {"none", {}, 0s},
      {"the request may not set one", {}, 5ms},
      {"the model's", {.timeout = 20ms}, 0s, 20ms},
      {"the model's, whatever the request wants", {.timeout = 20ms}, 5ms, 20ms},
      {"the request's", {.allows_override = true}, 5ms, 5ms},
      {"the shorter one", {.timeout = 20ms, .allows_override = true}, 5ms, 5ms},
      {"no longer one", {.timeout = 20ms, .allows_override = true}, 25ms, 20ms},
      {"a delay", {.timeout = 20ms, .action = kDelay}, 0s, 0s, 20ms},
      {"a delay of its own", {.action = kDelay, .allows_override = true}, 7ms, 0s, 7ms},
  };
  const auto after = [](std::chrono::nanoseconds time) {
    return time == 0ns ? kNever : kArrival + time;
  };
  for (const LimitsCase& test : cases) {
    const ModelScheduling model = {.has_waiting_policy = true, .default_policy = test.policy};
    const WaitLimits limits = WaitLimitsOf(model, 0, kArrival, kArrival + 1s, test.timeout);
    EXPECT_EQ(limits.deadline, kArrival + 1s) << test.what;
    EXPECT_EQ(limits.start_by, after(test.start_by)) << test.what;
    EXPECT_EQ(limits.delay_at, after(test.delay_at)) << test.what;
  }
}

TEST(ModelSchedulingTest, WithoutAPolicyATimeoutIsADeadline) {
  EXPECT_EQ(WaitLimitsOf({}, 0, kArrival, kNever, 5ms).deadline, kArrival + 5ms);
  EXPECT_EQ(WaitLimitsOf({}, 0, kArrival, kArrival + 1ms, 5ms).deadline, kArrival + 1ms);
  EXPECT_EQ(WaitLimitsOf({}, 0, kArrival, kNever, std::chrono::nanoseconds::max()).deadline,
            kNever);
}

TEST(ModelSchedulingTest, ALevelMayHaveAPolicyOfItsOwn) {
  ModelScheduling model = {.priority_levels = 2, .default_level = 1, .has_waiting_policy = true};
  model.default_policy.timeout = 1s;
  model.policy_of_level[2].timeout = 2s;
  EXPECT_EQ(WaitLimitsOf(model, 1, kArrival, kNever, 0s).start_by, kArrival + 1s);
  EXPECT_EQ(WaitLimitsOf(model, 2, kArrival, kNever, 0s).start_by, kArrival + 2s);
}

}  // namespace
}  // namespace octet
