// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/scheduler.h"

#include <chrono>
#include <future>
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/server/scheduling/scheduler_test_base.h"
#include "tests/support/gated_model.h"
#include "tests/support/sequence_model.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using testing::FakeRequest;
using testing::Gate;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::RequestOptions;

class SchedulerTest : public testing::SchedulerTestBase {
 protected:
  explicit SchedulerTest(RequestQueue::Limits limits = {})
      : SchedulerTestBase({.compute_threads = 2, .queue = limits}) {}
};

TEST_F(SchedulerTest, EveryRequestIsAnsweredOnce) {
  scheduler_.Start(events_);
  ASSERT_TRUE(scheduler_.Prepare(model_).ok());
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 1000; ++i) outcomes.push_back(Send({.first = static_cast<float>(i)}));
  ASSERT_TRUE(gate_.WaitUntilEmpty(kNever));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const float x = static_cast<float>(i);
    ASSERT_EQ(outcomes[i]->completions, 1);
    EXPECT_THAT(outcomes[i]->values, ElementsAre(2 * x, 2 * x + 2, 2 * x + 4));
  }
  EXPECT_EQ(model_metrics_->Statistics().success.count, 1000U);
}

TEST_F(SchedulerTest, WhatIsRetiredIsFreedAndTheOthersServeOn) {
  scheduler_.Start(events_);
  ASSERT_TRUE(scheduler_.Prepare(model_).ok());
  for (int round = 0; round < 3; ++round) {
    auto model = testing::TwiceModel(operators_);
    const std::weak_ptr<const Executable> left = model;
    ASSERT_TRUE(scheduler_.Prepare(model).ok());
    const auto with_it = Send({.first = 1}, model);
    ASSERT_TRUE(gate_.WaitUntilEmpty(kNever));
    EXPECT_TRUE(with_it->status.ok()) << with_it->status;
    with_it->answer = {};
    EXPECT_GT(model.use_count(), 1) << "each worker has a Session of it";
    scheduler_.Retire(model);
    EXPECT_EQ(model.use_count(), 1);
    model.reset();
    EXPECT_TRUE(left.expired());
    const auto with_the_other = Send({.first = 2});
    ASSERT_TRUE(gate_.WaitUntilEmpty(kNever));
    EXPECT_THAT(with_the_other->values, ElementsAre(4, 6, 8));
  }
}

TEST_F(SchedulerTest, RequestsThatWaitTogetherShareABatch) {
  scheduler_.Start(events_);
  ASSERT_TRUE(scheduler_.Prepare(model_).ok());
  std::vector<std::shared_ptr<FakeRequest>> fakes;
  for (int i = 0; i < 10; ++i) {
    fakes.push_back(std::make_shared<FakeRequest>(model_, model_metrics_, RequestOptions{}));
    fakes.back()->request->pass = *gate_.Enter();
  }
  // One event brings them all.
  events_.Post([&](std::size_t worker) {
    for (auto& fake : fakes) scheduler_.Submit(worker, std::move(fake->request));
  });
  ASSERT_TRUE(gate_.WaitUntilEmpty(kNever));
  EXPECT_EQ(model_metrics_->Statistics().success.count, 10U);
  EXPECT_LE(model_metrics_->Statistics().num_batches, 2U);
}

TEST_F(SchedulerTest, SequencesOfAnyLengthThatWaitTogetherShareABatch) {
  const OperatorRegistry operators = testing::SequenceOperators();
  const auto model = testing::SequenceModel(operators);
  scheduler_.Start(events_);
  ASSERT_TRUE(scheduler_.Prepare(model).ok());
  const auto options = [](int i) {
    return RequestOptions{.rows = 1 + i % 2,
                          .first = static_cast<float>(i),
                          .length = i == 13 ? testing::kLongestSequence + 1 : 1 + i * 7 % 23,
                          .width = 2,
                          .is_cancelled = i == 17};
  };
  std::vector<std::shared_ptr<FakeRequest>> fakes;
  for (int i = 0; i < 20; ++i) {
    fakes.push_back(std::make_shared<FakeRequest>(model, model_metrics_, options(i)));
    fakes.back()->request->pass = *gate_.Enter();
  }
  events_.Post([&](std::size_t worker) {
    for (auto& fake : fakes) scheduler_.Submit(worker, std::move(fake->request));
  });
  ASSERT_TRUE(gate_.WaitUntilEmpty(kNever));
  for (int i = 0; i < 20; ++i) {
    const Outcome& outcome = *fakes[static_cast<std::size_t>(i)]->outcome;
    EXPECT_EQ(outcome.completions, 1);
    if (i == 13) {
      EXPECT_EQ(outcome.status.code(), absl::StatusCode::kInvalidArgument);
    } else if (i == 17) {
      EXPECT_TRUE(absl::IsCancelled(outcome.status));
    } else {
      EXPECT_EQ(outcome.values, testing::SequenceAnswer(options(i))) << i;
    }
  }
  EXPECT_LE(model_metrics_->Statistics().num_batches, 10U);
}

TEST_F(SchedulerTest, HeldArrivalsWait) {
  scheduler_.Start(events_);
  const TimePoint until = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  scheduler_.HoldArrivals(until);
  const auto outcome = Send({});
  ASSERT_TRUE(gate_.WaitUntilEmpty(kNever));
  EXPECT_GE(std::chrono::steady_clock::now(), until);
  EXPECT_TRUE(outcome->status.ok());
}

TEST_F(SchedulerTest, WhatIsQueuedAtShutdownIsAnswered) {
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 50; ++i) outcomes.push_back(Send({}));
  events_.ShutDown();
  scheduler_.Start(events_);
  scheduler_.Join();
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome->completions, 1);
}

class GatedModelTest : public SchedulerTest {
 protected:
  explicit GatedModelTest(RequestQueue::Limits limits = {}) : SchedulerTest(limits) {}
  ~GatedModelTest() override {
    compute_gate_.Open();
    Stop();
  }

  Gate compute_gate_;
  const OperatorRegistry gated_operators_ = testing::GatedOperators(compute_gate_);
  const std::shared_ptr<const Executable> gated_ = testing::GatedModel(gated_operators_);
};

TEST_F(GatedModelTest, NoMoreThanTheBudgetComputeAndSomebodyPollsMeanwhile) {
  constexpr auto kPatience = std::chrono::seconds(20);
  const TimePoint until = std::chrono::steady_clock::now() + kPatience;
  scheduler_.Start(events_);
  ASSERT_TRUE(scheduler_.Prepare(gated_).ok());
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 4; ++i) {
    outcomes.push_back(Send({.first = static_cast<float>(i)}, gated_));
  }
  ASSERT_TRUE(compute_gate_.AwaitInside(2, until));
  // Each event comes to a worker that computes nothing, while both others do.
  for (int i = 0; i < 10; ++i) {
    std::promise<void> handled;
    events_.Post([&handled](std::size_t) { handled.set_value(); });
    ASSERT_EQ(handled.get_future().wait_for(kPatience), std::future_status::ready);
  }
  EXPECT_EQ(compute_gate_.most_inside(), 2);
  EXPECT_EQ(gate_.inside(), 4);
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until + kPatience));
  EXPECT_EQ(compute_gate_.most_inside(), 2);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const float x = static_cast<float>(i);
    EXPECT_EQ(outcomes[i]->completions, 1);
    EXPECT_THAT(outcomes[i]->values, ElementsAre(2 * x, 2 * x + 2, 2 * x + 4));
  }
}

TEST_F(GatedModelTest, WhatWouldWaitPastItsDeadlineIsRefusedAtOnce) {
  using std::chrono::milliseconds;
  const TimePoint until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  scheduler_.Start(events_);
  ASSERT_TRUE(scheduler_.Prepare(gated_).ok());
  // From now on a request of it is known to take 50 ms.
  const auto teacher = Send({}, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(1, until));
  std::this_thread::sleep_for(milliseconds(50));
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until));
  compute_gate_.Close();
  // Both workers compute, and requests that cannot share a batch come until one would be too late.
  std::vector<std::shared_ptr<Outcome>> outcomes;
  const TimePoint deadline = std::chrono::steady_clock::now() + milliseconds(300);
  for (int i = 0; i < 30; ++i) {
    outcomes.push_back(Send({.deadline = deadline}, gated_));
    if (i < 2) {
      ASSERT_TRUE(compute_gate_.AwaitInside(i + 1, until));
    }
  }
  const auto patient = Send({}, gated_);
  std::promise<void> handled;
  events_.Post([&handled](std::size_t) { handled.set_value(); });
  ASSERT_EQ(handled.get_future().wait_until(until), std::future_status::ready);
  EXPECT_EQ(outcomes.back()->completions, 1) << "before anything that waits";
  EXPECT_TRUE(absl::IsDeadlineExceeded(outcomes.back()->status)) << outcomes.back()->status;
  EXPECT_THAT(std::string(outcomes.back()->status.message()), HasSubstr("what goes before takes"));
  EXPECT_EQ(patient->completions, 0);
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until));
  EXPECT_TRUE(patient->status.ok()) << patient->status;
}

class SmallQueueTest : public GatedModelTest {
 protected:
  SmallQueueTest() : GatedModelTest({.requests = 2}) {}
};

TEST_F(SmallQueueTest, FullQueueAnswersAtOnce) {
  const TimePoint until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  scheduler_.Start(events_);
  ASSERT_TRUE(scheduler_.Prepare(gated_).ok());
  // Whoever could take something from the queue computes.
  const auto first = Send({.first = 1}, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(1, until));
  const auto second = Send({.first = 2}, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(2, until));
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 3; ++i) outcomes.push_back(Send({}));
  // The one worker that computes nothing handles events, one after the other.
  std::promise<void> handled;
  events_.Post([&handled](std::size_t) { handled.set_value(); });
  ASSERT_EQ(handled.get_future().wait_until(until), std::future_status::ready);
  EXPECT_EQ(outcomes[2]->completions, 1) << "before anything that waits";
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(kNever));
  EXPECT_TRUE(outcomes[0]->status.ok()) << outcomes[0]->status;
  EXPECT_TRUE(outcomes[1]->status.ok()) << outcomes[1]->status;
  EXPECT_TRUE(absl::IsResourceExhausted(outcomes[2]->status)) << outcomes[2]->status;
}

}  // namespace
}  // namespace octet
