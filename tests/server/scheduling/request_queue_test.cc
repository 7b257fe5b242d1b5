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
