// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/request_queue.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_requests.h"

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
  Batch batch = queue.TakeBatch({}, kNever);
  EXPECT_EQ(batch.rows, 8);
  EXPECT_EQ(batch.requests.size(), 2U);
  batch = queue.TakeBatch({}, kNever);
  EXPECT_EQ(batch.requests.at(0)->executable, b_);
  batch = queue.TakeBatch({}, kNever);
  EXPECT_EQ(batch.rows, 5);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.TakeBatch({}, kNever).requests.empty());
}

TEST_F(RequestQueueTest, FirstRequestMayBeLargerThanABatch) {
  RequestQueue queue({});
  queue.Push(Make(a_, 100));
  queue.Push(Make(a_, 1));
  EXPECT_EQ(queue.TakeBatch({}, kNever).rows, 100);
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
  const Batch first = queue.TakeBatch({}, kNever);
  ASSERT_EQ(first.requests.size(), 2U);
  EXPECT_EQ(first.requests[0]->rows, 4);
  EXPECT_EQ(first.requests[1]->rows, 2);
  const Batch second = queue.TakeBatch({}, kNever);
  ASSERT_EQ(second.requests.size(), 2U);
  EXPECT_EQ(second.requests[0]->rows, 1);
  EXPECT_EQ(second.requests[1]->rows, 3);
}

TEST_F(RequestQueueTest, BatchTellsWhyItHasNoMoreRows) {
  RequestQueue queue({});
  queue.Push(Make(a_, 4));
  queue.Push(Make(b_, 1));
  EXPECT_EQ(queue.TakeBatch({}, kNever).reason, DispatchReason::kIdle);
  queue.Push(Make(b_, 8));
  EXPECT_EQ(queue.TakeBatch({}, kNever).reason, DispatchReason::kFull);
  FakeRequest longer(b_, metrics_, {.length = 4});
  queue.Push(std::move(longer.request));
  EXPECT_EQ(queue.TakeBatch({}, kNever).reason, DispatchReason::kOtherShape);
  const auto alone = testing::ModelWithoutInputs(operators_);
  queue.Push(Make(alone, 1));
  queue.TakeBatch({}, kNever);
  EXPECT_EQ(queue.TakeBatch({}, kNever).reason, DispatchReason::kAlone);
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
  EXPECT_EQ(queue.TakeBatch({}, between).rows, 1);
  EXPECT_FALSE(queue.HasWork(between));
  EXPECT_TRUE(queue.HasWork(kNever));
}

}  // namespace
}  // namespace octet
