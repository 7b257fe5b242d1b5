// SPDX-License-Identifier: Apache-2.0
// Batches that several workers compute.

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

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
using testing::Outcome;
using testing::RequestOptions;

// Every batch whose time is known is cut, and somebody polls meanwhile.
constexpr BatchingPolicy kCutAll = {.hand_over_above = {}, .split_above = {}, .min_part = {}};

void ExpectTwice(const Outcome& outcome, const RequestOptions& options) {
  ASSERT_EQ(outcome.completions, 1);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_THAT(outcome.dims, ElementsAre(options.rows, 3));
  for (std::size_t i = 0; i < outcome.values.size(); ++i) {
    ASSERT_EQ(outcome.values[i], 2 * (options.first + static_cast<float>(i)));
  }
}

class SplitBatchTest : public testing::SchedulerTestBase {
 protected:
  explicit SplitBatchTest(std::size_t compute_threads = 2)
      : SchedulerTestBase({.compute_threads = compute_threads, .batching = kCutAll}) {}
  ~SplitBatchTest() override {
    compute_gate_.Open();
    Stop();
  }

  // Starts, and lets the scheduler see how long a batch of eight rows of the gated model takes.
  void StartAndLearn() {
    scheduler_.Start(events_);
    ASSERT_TRUE(scheduler_.Prepare(gated_).ok());
    compute_gate_.Open();
    const auto outcome = Send({.rows = 8}, gated_);
    ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
    ExpectTwice(*outcome, {.rows = 8});
    // It is answered before it is recorded; this waits for every worker.
    ASSERT_TRUE(scheduler_.Prepare(model_).ok());
    compute_gate_.Close();
  }

  // A batch is answered before it is counted.
  ModelStatistics StopAndCount() {
    Stop();
    return model_metrics_->Statistics();
  }

  const TimePoint until_ = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  Gate compute_gate_;
  const OperatorRegistry gated_operators_ = testing::GatedOperators(compute_gate_);
  const std::shared_ptr<const Executable> gated_ = testing::GatedModel(gated_operators_);
};

TEST_F(SplitBatchTest, TwoWorkersComputeALargeRequest) {
  StartAndLearn();
  const RequestOptions options = {.rows = 8, .first = 100};
  const auto outcome = Send(options, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(2, until_)) << "nobody helps";
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  ExpectTwice(*outcome, options);
  const ModelStatistics statistics = StopAndCount();
  EXPECT_EQ(statistics.num_batches, 2U);
  EXPECT_EQ(statistics.num_split_batches, 1U);
  EXPECT_GE(statistics.num_helped_parts, 1U);
  EXPECT_LE(statistics.num_helped_parts, 7U);
}

TEST_F(SplitBatchTest, SequencesOfDifferentLengthsAreCutBetweenTwo) {
  const OperatorRegistry operators = testing::SequenceOperators();
  const auto model = testing::SequenceModel(operators);
  scheduler_.Start(events_);
  ASSERT_TRUE(scheduler_.Prepare(model).ok());
  for (int round = 0; round < 30; ++round) {
    std::vector<RequestOptions> sent;
    std::vector<std::shared_ptr<FakeRequest>> fakes;
    for (int i = 0; i < 12; ++i) {
      sent.push_back({.rows = 1 + i % 3,
                      .first = static_cast<float>(round + i),
                      .length = 1 + (round + i) * 7 % 60,
                      .width = 2});
      fakes.push_back(std::make_shared<FakeRequest>(model, model_metrics_, sent.back()));
      fakes.back()->request->pass = *gate_.Enter();
    }
    events_.Post([&](std::size_t worker) {
      for (auto& fake : fakes) scheduler_.Submit(worker, std::move(fake->request));
    });
    ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
    for (std::size_t i = 0; i < fakes.size(); ++i) {
      const Outcome& outcome = *fakes[i]->outcome;
      ASSERT_TRUE(outcome.status.ok()) << outcome.status;
      ASSERT_EQ(outcome.completions, 1);
      EXPECT_EQ(outcome.values, testing::SequenceAnswer(sent[i]));
    }
  }
}

TEST_F(SplitBatchTest, TheOwnerNeverWaitsForItsHelper) {
  StartAndLearn();
  const RequestOptions options = {.rows = 8, .first = 100};
  const auto outcome = Send(options, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(2, until_));
  // The helper, which has the second row, stays where it is: the owner does all others, and serves.
  compute_gate_.Let([](float number) { return number != 103; });
  for (int i = 0; i < 3; ++i) {
    DrainGate gate;
    const auto other = Send({.first = 7}, model_, gate);
    ASSERT_TRUE(gate.WaitUntilEmpty(until_)) << "the owner waits";
    ExpectTwice(*other, {.first = 7});
  }
  EXPECT_EQ(gate_.inside(), 1);
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  ExpectTwice(*outcome, options);
  EXPECT_EQ(StopAndCount().num_split_batches, 1U);
}

TEST_F(SplitBatchTest, AHelperGivesItsPartUpForARequest) {
  StartAndLearn();
  const RequestOptions options = {.rows = 8, .first = 100};
  const auto outcome = Send(options, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(2, until_));
  DrainGate gate;
  const auto other = Send({.first = 7}, model_, gate);
  ASSERT_TRUE(events_.AwaitIdle(until_));
  EXPECT_EQ(gate.inside(), 1) << "as many compute as may";
  // The owner stays at its first row, the helper comes to the end of a step.
  compute_gate_.Let([](float number) { return number != 100; });
  ASSERT_TRUE(gate.WaitUntilEmpty(until_));
  ExpectTwice(*other, {.first = 7});
  EXPECT_EQ(gate_.inside(), 1);
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  ExpectTwice(*outcome, options);
  EXPECT_EQ(compute_gate_.entries(103), 2) << "the second row was not given up and taken again";
}

TEST_F(SplitBatchTest, AHelperGoesOnWhileArrivalsAreHeld) {
  StartAndLearn();
  const RequestOptions options = {.rows = 8, .first = 100};
  const auto outcome = Send(options, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(2, until_));
  const TimePoint held_until = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  scheduler_.HoldArrivals(held_until);
  const auto other = Send({.first = 7});
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  EXPECT_GE(std::chrono::steady_clock::now(), held_until);
  ExpectTwice(*outcome, options);
  ExpectTwice(*other, {.first = 7});
}

TEST_F(SplitBatchTest, WhatIsComputedAtShutdownIsAnswered) {
  StartAndLearn();
  const RequestOptions options = {.rows = 8, .first = 100};
  const auto outcome = Send(options, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(2, until_));
  events_.ShutDown();
  compute_gate_.Let([](float number) { return number != 103; });
  ASSERT_FALSE(gate_.WaitUntilEmpty(std::chrono::steady_clock::now()));
  compute_gate_.Open();
  scheduler_.Join();
  ExpectTwice(*outcome, options);
}

// y = 4x on [rows, length]; a length of 1000 needs more memory than it may have, even for one row.
std::shared_ptr<const Executable> BoundedModel(const OperatorRegistry& operators) {
  Graph graph;
  graph.symbol_names = {"rows", "length"};
  const ValueId x = graph.AddValue("x", testing::FloatType({Dim(kRows), Dim(Symbol{1})}));
  const ValueId twice = testing::Append(graph, "Twice", {x}, "twice");
  graph.inputs = {x};
  graph.outputs = {testing::Append(graph, "Twice", {twice}, "y")};
  return Executable::Compile(graph, operators, testing::TinyKernels(),
                             {.max_rows = 1, .max_arena_byte_size = 8192})
      .value();
}

TEST_F(SplitBatchTest, AnErrorIsAnsweredOnce) {
  StartAndLearn();
  const auto bounded = BoundedModel(operators_);
  ASSERT_TRUE(scheduler_.Prepare(bounded).ok());
  const RequestOptions fitting = {.rows = 400, .length = 10};
  const RequestOptions too_long = {.rows = 3, .length = 1000};
  const auto learnt = Send(fitting, bounded);
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  EXPECT_TRUE(learnt->status.ok()) << learnt->status;
  ASSERT_TRUE(scheduler_.Prepare(testing::TwiceModel(operators_)).ok());
  for (int i = 0; i < 20; ++i) {
    // Two that share a batch.
    std::vector<std::shared_ptr<FakeRequest>> fakes;
    for (int request = 0; request < 2; ++request) {
      fakes.push_back(std::make_shared<FakeRequest>(bounded, model_metrics_, too_long));
      fakes.back()->request->pass = *gate_.Enter();
    }
    events_.Post([&](std::size_t worker) {
      for (auto& fake : fakes) scheduler_.Submit(worker, std::move(fake->request));
    });
    ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
    for (const auto& fake : fakes) {
      EXPECT_EQ(fake->outcome->completions, 1);
      EXPECT_TRUE(absl::IsResourceExhausted(fake->outcome->status)) << fake->outcome->status;
    }
  }
  const auto again = Send(fitting, bounded);
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  EXPECT_TRUE(again->status.ok()) << again->status;
}

class OneThreadTest : public SplitBatchTest {
 protected:
  OneThreadTest() : SplitBatchTest(1) {}
};

TEST_F(OneThreadTest, OneWorkerComputesAlone) {
  StartAndLearn();
  const RequestOptions options = {.rows = 8, .first = 100};
  const auto outcome = Send(options, gated_);
  ASSERT_TRUE(compute_gate_.AwaitInside(1, until_));
  const auto other = Send({.first = 7});
  ASSERT_TRUE(events_.AwaitIdle(until_)) << "nobody polls";
  compute_gate_.Open();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  ExpectTwice(*outcome, options);
  ExpectTwice(*other, {.first = 7});
  EXPECT_EQ(compute_gate_.most_inside(), 1);
  EXPECT_EQ(StopAndCount().num_split_batches, 0U);
}

class ManyThreadsTest : public SplitBatchTest {
 protected:
  ManyThreadsTest() : SplitBatchTest(3) {}
};

TEST_F(ManyThreadsTest, EveryRequestIsAnsweredRightUnderLoad) {
  StartAndLearn();
  compute_gate_.Open();
  struct Sent {
    RequestOptions options;
    std::shared_ptr<Outcome> outcome;
  };
  constexpr int kSenders = 3;
  std::vector<std::vector<Sent>> sent(kSenders);
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&, sender] {
      for (int i = 0; i < 300; ++i) {
        const RequestOptions options = {.rows = i % 7 == 0 ? 40 : 1 + i % 3,
                                        .first = static_cast<float>(1000 * sender + i),
                                        .is_cancelled = i % 50 == 49};
        sent[static_cast<std::size_t>(sender)].push_back(
            {options, Send(options, i % 2 == 0 ? gated_ : model_)});
        // Now and then all is done, and workers are idle.
        if (i % 20 == 0) gate_.WaitUntilEmpty(until_);
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  // On a busy machine no worker may have been idle at the right time by now.
  while (model_metrics_->Statistics().num_split_batches == 0 &&
         std::chrono::steady_clock::now() < until_) {
    Send({.rows = 40}, gated_);
    ASSERT_TRUE(gate_.WaitUntilEmpty(until_));
  }
  for (const std::vector<Sent>& of_one : sent) {
    for (const Sent& request : of_one) {
      if (request.options.is_cancelled) {
        EXPECT_TRUE(absl::IsCancelled(request.outcome->status)) << request.outcome->status;
        EXPECT_EQ(request.outcome->completions, 1);
      } else {
        ExpectTwice(*request.outcome, request.options);
      }
    }
  }
  EXPECT_GT(StopAndCount().num_split_batches, 0U);
}

}  // namespace
}  // namespace octet
