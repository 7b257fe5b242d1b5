// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/request_queue.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_requests.h"
#include "tests/support/sequence_model.h"

namespace octet {
namespace {

using testing::FakeRequest;
using ::testing::HasSubstr;

class RequestQueueTest : public ::testing::Test {
 protected:
  std::unique_ptr<InferenceRequest> Make(const std::shared_ptr<const Executable>& model,
                                         std::int64_t rows) {
    return std::move(FakeRequest(model, metrics_, {.rows = rows}).request);
  }

  const OperatorRegistry operators_ = testing::TinyOperators();
  const std::shared_ptr<const Executable> a_ = testing::TwiceModel(operators_, 8);
  const std::shared_ptr<const Executable> b_ = testing::TwiceModel(operators_, 8);
  const std::shared_ptr<ModelMetrics> metrics_ =
      std::make_shared<ModelMetrics>(ModelMetrics::Labels{"m", "1", "fp32"}, 1);
};

TEST_F(RequestQueueTest, BatchTakesWhatFitsAndLeavesTheRestInOrder) {
  RequestQueue queue({});
  queue.Push(Make(a_, 4));
  queue.Push(Make(b_, 1));
  queue.Push(Make(a_, 5));
  queue.Push(Make(a_, 4));
  EXPECT_EQ(queue.rows(), 14);
  Batch batch = queue.TakeBatch({});
  EXPECT_EQ(batch.rows, 8);
  EXPECT_EQ(batch.requests.size(), 2U);
  batch = queue.TakeBatch({});
  EXPECT_EQ(batch.requests.at(0)->executable, b_);
  batch = queue.TakeBatch({});
  EXPECT_EQ(batch.rows, 5);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.TakeBatch({}).requests.empty());
}

TEST_F(RequestQueueTest, FirstRequestMayBeLargerThanABatch) {
  RequestQueue queue({});
  queue.Push(Make(a_, 100));
  queue.Push(Make(a_, 1));
  EXPECT_EQ(queue.TakeBatch({}).rows, 100);
}

TEST_F(RequestQueueTest, FullQueueRefuses) {
  RequestQueue queue({.requests = 2, .bytes = 40});
  EXPECT_TRUE(queue.CheckRoom(*Make(a_, 100)).ok());  // alone it may be large
  queue.Push(Make(a_, 1));
  const absl::Status bytes = queue.CheckRoom(*Make(a_, 3));
  EXPECT_TRUE(absl::IsResourceExhausted(bytes));
  EXPECT_THAT(std::string(bytes.message()), HasSubstr("40 may"));
  queue.Push(Make(a_, 1));
  EXPECT_THAT(std::string(queue.CheckRoom(*Make(a_, 1)).message()), HasSubstr("2 requests wait"));
}

TEST_F(RequestQueueTest, EarliestDueGoesFirstAndEqualOnesKeepTheirOrder) {
  RequestQueue queue({});
  const TimePoint start(std::chrono::seconds(1));
  const auto push = [&](const std::shared_ptr<const Executable>& model, std::int64_t rows,
                        int due) {
    std::unique_ptr<InferenceRequest> request = Make(model, rows);
    request->due = start + std::chrono::milliseconds(due);
    queue.Push(std::move(request));
  };
  push(a_, 1, 50);
  push(b_, 2, 20);
  push(a_, 3, 50);
  push(b_, 4, 10);
  const Batch first = queue.TakeBatch({});
  ASSERT_EQ(first.requests.size(), 2U);
  EXPECT_EQ(first.requests[0]->rows, 4);
  EXPECT_EQ(first.requests[1]->rows, 2);
  const Batch second = queue.TakeBatch({});
  ASSERT_EQ(second.requests.size(), 2U);
  EXPECT_EQ(second.requests[0]->rows, 1);
  EXPECT_EQ(second.requests[1]->rows, 3);
}

TEST_F(RequestQueueTest, BatchTellsWhyItHasNoMoreRows) {
  RequestQueue queue({});
  queue.Push(Make(a_, 4));
  queue.Push(Make(b_, 1));
  EXPECT_EQ(queue.TakeBatch({}).reason, DispatchReason::kIdle);
  queue.Push(Make(b_, 8));
  EXPECT_EQ(queue.TakeBatch({}).reason, DispatchReason::kFull);
  FakeRequest longer(b_, metrics_, {.length = 4});
  queue.Push(std::move(longer.request));
  EXPECT_EQ(queue.TakeBatch({}).reason, DispatchReason::kOtherShape);
  const auto alone = testing::ModelWithoutInputs(operators_);
  queue.Push(Make(alone, 1));
  queue.TakeBatch({});
  EXPECT_EQ(queue.TakeBatch({}).reason, DispatchReason::kAlone);
}

TEST_F(RequestQueueTest, AheadIsWhatIsDueEarlierButForWhatCanShareTheBatch) {
  using std::chrono::microseconds;
  RequestQueue queue({});
  const TimePoint start(std::chrono::seconds(1));
  const auto make = [&](const std::shared_ptr<const Executable>& model, std::int64_t rows,
                        int due) {
    std::unique_ptr<InferenceRequest> request = Make(model, rows);
    request->due = start + std::chrono::milliseconds(due);
    request->least_time = microseconds(10 * rows);
    return request;
  };
  queue.Push(make(b_, 2, 10));  // another model: 20 us
  queue.Push(make(a_, 8, 20));
  queue.Push(make(a_, 4, 30));
  queue.Push(make(b_, 9, 90));  // due later
  const auto ahead = [&](std::int64_t rows, std::chrono::nanoseconds enough) {
    return queue.AheadOf(*make(a_, rows, 40), 8, enough);
  };
  constexpr std::chrono::nanoseconds kAll = std::chrono::seconds(1);
  // Of 12 rows of the same model 7 share a batch with one row more, none with 8.
  EXPECT_EQ(ahead(1, kAll).work, microseconds(20 + 50));
  EXPECT_EQ(ahead(1, kAll).rows_in_batch, 7);
  EXPECT_EQ(ahead(8, kAll).work, microseconds(20 + 120));
  EXPECT_EQ(ahead(8, kAll).rows_in_batch, 0);
  EXPECT_GT(ahead(8, microseconds(30)).work, microseconds(30));
  EXPECT_EQ(queue.AheadOf(*make(b_, 1, 5), 8, kAll).work, microseconds(0));
}

TEST_F(RequestQueueTest, LaterArrivalsAreHeld) {
  RequestQueue queue({});
  queue.Push(Make(a_, 1));
  const TimePoint between = std::chrono::steady_clock::now() + std::chrono::nanoseconds(1);
  std::unique_ptr<InferenceRequest> late = Make(a_, 1);
  late->arrival = between;
  queue.Push(std::move(late));
  EXPECT_EQ(queue.TakeBatch({.before = between}).rows, 1);
  EXPECT_FALSE(queue.HasWork({.before = between}));
  EXPECT_TRUE(queue.HasWork({}));
}

TEST_F(RequestQueueTest, SequencesOfOtherLengthsJoinUpToThePositionsThatPay) {
  const OperatorRegistry operators = testing::SequenceOperators();
  const auto model = testing::SequenceModel(operators);
  const auto push = [&](RequestQueue& queue, std::int64_t length) {
    auto request = std::move(FakeRequest(model, metrics_, {.length = length, .width = 2}).request);
    request->max_batch_rows = 1;  // 64 positions
    queue.Push(std::move(request));
  };
  RequestQueue queue({});
  for (const std::int64_t length : {7, 1000, 12, 31, 20, 5}) push(queue, length);
  Batch batch = queue.TakeBatch({});
  EXPECT_EQ(batch.requests.size(), 4U) << "7, 12, 31 and 5";
  EXPECT_EQ(batch.positions, 55);
  EXPECT_EQ(batch.max_rows, 4) << "as good as full";
  EXPECT_EQ(batch.reason, DispatchReason::kFull);
  batch = queue.TakeBatch({});
  EXPECT_EQ(batch.positions, 1000) << "one that is very long has no company";
  EXPECT_EQ(batch.requests.size(), 1U);
  batch = queue.TakeBatch({});
  EXPECT_EQ(batch.positions, 20);
  EXPECT_EQ(batch.max_rows, 3) << "of 20 positions";
  EXPECT_EQ(batch.reason, DispatchReason::kIdle);
}

// Of a model that waits up to 10 ms for others, and prefers 4 rows.
class WaitingQueueTest : public RequestQueueTest {
 protected:
  // At `ms` of the clock, which counts from `kStart`.
  void Push(std::int64_t rows, int ms, int due_ms = 100) {
    std::unique_ptr<InferenceRequest> request = Make(a_, rows);
    request->scheduling = &settings_;
    request->arrival = At(ms);
    request->ripe_at = At(ms) + settings_.max_queue_delay;
    request->due = At(due_ms);
    queue_.Push(std::move(request));
  }
  static TimePoint At(int ms) {
    return TimePoint(std::chrono::seconds(5)) + std::chrono::milliseconds(ms);
  }

  ModelScheduling settings_ = {.preferred_rows = {4},
                               .max_queue_delay = std::chrono::milliseconds(10)};
  RequestQueue queue_{{}};
};

TEST_F(WaitingQueueTest, ABatchWaitsUntilItsOldestHasWaitedTheDelay) {
  Push(1, 0);
  Push(1, 6);
  EXPECT_FALSE(queue_.HasWork({.now = At(9)}));
  EXPECT_TRUE(queue_.TakeBatch({.now = At(9)}).requests.empty());
  EXPECT_EQ(queue_.NextRipe({.now = At(9)}), At(10));
  const Batch batch = queue_.TakeBatch({.now = At(10)});
  EXPECT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.reason, DispatchReason::kDelay);
  EXPECT_EQ(queue_.NextRipe({.now = At(10)}), kNever);
}

TEST_F(WaitingQueueTest, APreferredSizeGoesAtOnceAndHasNoMore) {
  Push(1, 0);
  Push(3, 1);
  Push(2, 2);
  const Batch batch = queue_.TakeBatch({.now = At(2)});
  EXPECT_EQ(batch.rows, 4);
  EXPECT_EQ(batch.reason, DispatchReason::kPreferred);
  EXPECT_FALSE(queue_.HasWork({.now = At(2)})) << "the rest waits on";
}

TEST_F(WaitingQueueTest, AFullBatchGoesAtOnce) {
  Push(5, 0);
  Push(3, 1);
  EXPECT_EQ(queue_.TakeBatch({.now = At(1)}).reason, DispatchReason::kFull);
  Push(7, 2);
  Push(3, 3);  // no room
  const Batch batch = queue_.TakeBatch({.now = At(3)});
  EXPECT_EQ(batch.rows, 7);
  EXPECT_EQ(batch.reason, DispatchReason::kFull);
}

TEST_F(WaitingQueueTest, OthersGoBeforeABatchThatWaits) {
  Push(1, 0, /*due_ms=*/1);
  queue_.Push(Make(b_, 2));
  EXPECT_TRUE(queue_.HasWork({.now = At(1)}));
  EXPECT_EQ(queue_.TakeBatch({.now = At(1)}).requests.at(0)->executable, b_);
  EXPECT_FALSE(queue_.HasWork({.now = At(1)}));
  EXPECT_EQ(queue_.TakeBatch({}).rows, 1) << "at the end nothing waits";
}

TEST_F(WaitingQueueTest, AModelsQueueHasALimitOfItsOwn) {
  settings_ = {.priority_levels = 2, .default_level = 1, .has_waiting_policy = true};
  settings_.policy_of_level[2].max_requests = 1;
  const auto make = [this](std::uint32_t level) {
    std::unique_ptr<InferenceRequest> request = Make(a_, 1);
    request->scheduling = &settings_;
    request->level = level;
    return request;
  };
  EXPECT_TRUE(queue_.CheckRoom(*make(2)).ok());
  queue_.Push(make(2));
  const absl::Status full = queue_.CheckRoom(*make(2));
  EXPECT_TRUE(absl::IsResourceExhausted(full));
  EXPECT_THAT(std::string(full.message()), HasSubstr("1 requests wait at priority level 2, 1 may"));
  EXPECT_TRUE(queue_.CheckRoom(*make(1)).ok());
  queue_.TakeBatch({});
  EXPECT_TRUE(queue_.CheckRoom(*make(2)).ok());
}

TEST_F(WaitingQueueTest, WhoseTimeoutHasPassedGoesBehindTheOthersOnce) {
  settings_ = {.has_waiting_policy = true};
  const auto push = [this](float rows, int due_ms, TimePoint delay_at) {
    std::unique_ptr<InferenceRequest> request = Make(b_, static_cast<std::int64_t>(rows));
    request->scheduling = &settings_;
    request->due = At(due_ms);
    request->delay_at = delay_at;
    queue_.Push(std::move(request));
  };
  push(8, 1, At(5));
  push(7, 2, At(50));
  push(6, 3, kNever);
  EXPECT_EQ(queue_.TakeBatch({.now = At(5)}).rows, 7);
  EXPECT_EQ(queue_.TakeBatch({.now = At(5)}).rows, 6);
  EXPECT_EQ(queue_.TakeBatch({.now = At(60)}).rows, 8);
}

}  // namespace
}  // namespace octet
