// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/scheduler.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <span>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_requests.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using testing::FakeRequest;
using testing::Outcome;
using testing::RequestOptions;

// Events are functions that the test posts.
class FakeEventSource final : public EventSource {
 public:
  using Event = std::function<void(std::size_t worker)>;

  Polled Poll(std::size_t worker, TimePoint until) override {
    EXPECT_EQ(polling_.fetch_add(1), 0) << "two workers poll at once";
    const Polled polled = PollAlone(worker, until);
    polling_.fetch_sub(1);
    return polled;
  }
  void Wake() override {
    Post([](std::size_t) {});
  }
  void Post(Event event) {
    MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    changed_.NotifyAll();
  }
  void ShutDown() {
    MutexLock lock(mutex_);
    shut_down_ = true;
    changed_.NotifyAll();
  }

 private:
  Polled PollAlone(std::size_t worker, TimePoint until) {
    Event event;
    {
      MutexLock lock(mutex_);
      while (events_.empty()) {
        if (shut_down_) return Polled::kShutDown;
        if (std::chrono::steady_clock::now() >= until) return Polled::kTimedOut;
        if (until == kNever) {
          changed_.Wait(mutex_);
        } else {
          changed_.WaitUntil(mutex_, until);
        }
      }
      event = std::move(events_.front());
      events_.pop_front();
    }
    event(worker);
    return Polled::kHandled;
  }

  std::atomic<int> polling_ = 0;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

class SchedulerTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kComputeThreads = 2;

  explicit SchedulerTest(RequestQueue::Limits limits = {})
      : scheduler_({.compute_threads = kComputeThreads, .queue = limits}, metrics_) {}
  ~SchedulerTest() override {
    events_.ShutDown();
    scheduler_.Join();
  }

  std::shared_ptr<Outcome> Send(const RequestOptions& options) { return Send(options, model_); }
  std::shared_ptr<Outcome> Send(const RequestOptions& options,
                                const std::shared_ptr<const Executable>& model) {
    auto fake = std::make_shared<FakeRequest>(model, model_metrics_, options);
    fake->request->pass = *gate_.Enter();
    events_.Post(
        [this, fake](std::size_t worker) { scheduler_.Submit(worker, std::move(fake->request)); });
    return fake->outcome;
  }

  const OperatorRegistry operators_ = testing::TinyOperators();
  const std::shared_ptr<const Executable> model_ = testing::TwiceModel(operators_);
  Metrics metrics_{
      {.num_workers = Scheduler::NumWorkers(kComputeThreads), .server_version = "test"}};
  const std::shared_ptr<ModelMetrics> model_metrics_ = std::make_shared<ModelMetrics>(
      ModelMetrics::Labels{"m", "1", "fp32"}, Scheduler::NumWorkers(kComputeThreads));
  DrainGate gate_;
  FakeEventSource events_;
  Scheduler scheduler_;
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

// Holds those who come until it is opened, and counts them.
class Gate {
 public:
  void Enter() {
    MutexLock lock(mutex_);
    most_inside_ = std::max(most_inside_, ++inside_);
    changed_.NotifyAll();
    while (!is_open_) changed_.Wait(mutex_);
    --inside_;
  }
  void Open() {
    MutexLock lock(mutex_);
    is_open_ = true;
    changed_.NotifyAll();
  }
  // Returns whether so many were inside at one time, at `until` at the latest.
  bool AwaitInside(int count, TimePoint until) {
    MutexLock lock(mutex_);
    while (inside_ < count) {
      if (std::chrono::steady_clock::now() >= until) return false;
      changed_.WaitUntil(mutex_, until);
    }
    return true;
  }
  int most_inside() {
    MutexLock lock(mutex_);
    return most_inside_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int inside_ ABSL_GUARDED_BY(mutex_) = 0;
  int most_inside_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_open_ ABSL_GUARDED_BY(mutex_) = false;
};

// TinyOperators, and Gated: y = x once `gate` lets it.
OperatorRegistry GatedOperators(Gate& gate) {
  OperatorRegistry operators = testing::TinyOperators();
  operators.Add(std::make_unique<const testing::TinyOperator>(
      "Gated", 1,
      [](std::span<const TensorType> types) -> absl::StatusOr<testing::TinyOperator::Types> {
        return testing::TinyOperator::Types{types[0]};
      },
      [&gate](const StepArguments& arguments, bool) {
        gate.Enter();
        std::copy_n(arguments.inputs[0].as<float>(), testing::CountOf(arguments.inputs[0]),
                    arguments.outputs[0].as<float>());
      }));
  return operators;
}

// One request at a time.
std::shared_ptr<const Executable> GatedModel(const OperatorRegistry& operators) {
  Graph graph;
  const ValueId x = graph.AddValue("x", testing::FloatType({Dim(kRows), 3}));
  const ValueId y = graph.AddValue("y", testing::FloatType({Dim(kRows), 3}));
  graph.nodes.push_back(Node{"y", "Gated", {x}, {y}, {}});
  graph.inputs = {x};
  graph.outputs = {y};
  return Executable::Compile(graph, operators, testing::TinyKernels(), {.max_rows = 1}).value();
}

class GatedModelTest : public SchedulerTest {
 protected:
  ~GatedModelTest() override {
    compute_gate_.Open();
    events_.ShutDown();
    scheduler_.Join();
  }

  Gate compute_gate_;
  const OperatorRegistry gated_operators_ = GatedOperators(compute_gate_);
  const std::shared_ptr<const Executable> gated_ = GatedModel(gated_operators_);
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
  ASSERT_TRUE(compute_gate_.AwaitInside(static_cast<int>(kComputeThreads), until));
  // Each event comes to a worker that computes nothing, while both others do.
  for (int i = 0; i < 10; ++i) {
    std::promise<void> handled;
    events_.Post([&handled](std::size_t) { handled.set_value(); });
    ASSERT_EQ(handled.get_future().wait_for(kPatience), std::future_status::ready);
  }
  EXPECT_EQ(compute_gate_.most_inside(), static_cast<int>(kComputeThreads));
  EXPECT_EQ(gate_.inside(), 4);
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until + kPatience));
  EXPECT_EQ(compute_gate_.most_inside(), static_cast<int>(kComputeThreads));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const float x = static_cast<float>(i);
    EXPECT_EQ(outcomes[i]->completions, 1);
    EXPECT_THAT(outcomes[i]->values, ElementsAre(x, x + 1, x + 2));
  }
}

class SmallQueueTest : public SchedulerTest {
 protected:
  SmallQueueTest() : SchedulerTest({.requests = 2}) {}
};

TEST_F(SmallQueueTest, FullQueueAnswersAtOnce) {
  std::vector<std::shared_ptr<FakeRequest>> fakes;
  for (int i = 0; i < 3; ++i) {
    fakes.push_back(std::make_shared<FakeRequest>(model_, model_metrics_, RequestOptions{}));
    fakes.back()->request->pass = *gate_.Enter();
  }
  events_.Post([&](std::size_t worker) {
    for (auto& fake : fakes) scheduler_.Submit(worker, std::move(fake->request));
  });
  scheduler_.Start(events_);
  ASSERT_TRUE(gate_.WaitUntilEmpty(kNever));
  EXPECT_TRUE(fakes[0]->outcome->status.ok());
  EXPECT_TRUE(fakes[1]->outcome->status.ok());
  EXPECT_TRUE(absl::IsResourceExhausted(fakes[2]->outcome->status));
}

}  // namespace
}  // namespace octet
