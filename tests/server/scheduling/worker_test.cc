// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/worker.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_requests.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using testing::FakeRequest;
using testing::Outcome;
using testing::RequestOptions;

class WorkerTest : public ::testing::Test {
 protected:
  std::shared_ptr<Outcome> Add(Batch& batch, const RequestOptions& options) {
    FakeRequest fake(model_, model_metrics_, options);
    batch.rows += options.rows;
    batch.requests.push_back(std::move(fake.request));
    return fake.outcome;
  }

  const OperatorRegistry operators_ = testing::TinyOperators();
  const std::shared_ptr<const Executable> model_ = testing::TwiceModel(operators_, 2);
  Metrics metrics_{{.num_workers = 1, .server_version = "test"}};
  const std::shared_ptr<ModelMetrics> model_metrics_ =
      std::make_shared<ModelMetrics>(ModelMetrics::Labels{"m", "1", "fp32"}, 1);
  Worker worker_{0, 1 << 20, metrics_};
};

TEST_F(WorkerTest, RowsOfABatchGoBackToTheirRequests) {
  Batch batch;
  const auto a = Add(batch, {.rows = 1, .first = 1});
  const auto b = Add(batch, {.rows = 2, .first = 10});
  worker_.Run(std::move(batch));
  EXPECT_THAT(a->values, ElementsAre(2, 4, 6));
  EXPECT_THAT(a->dims, ElementsAre(1, 3));
  EXPECT_THAT(b->values, ElementsAre(20, 22, 24, 26, 28, 30));
  EXPECT_THAT(b->dims, ElementsAre(2, 3));
  EXPECT_EQ(a->completions, 1);
  const ModelStatistics statistics = model_metrics_->Statistics();
  EXPECT_EQ(statistics.success.count, 2U);
  EXPECT_EQ(statistics.num_rows, 3U);
  EXPECT_EQ(statistics.num_batches, 1U);
}

TEST_F(WorkerTest, ExpiredAndCancelledRequestsAreAnsweredWithoutWork) {
  Batch batch;
  const auto expired =
      Add(batch, {.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1)});
  const auto cancelled = Add(batch, {.is_cancelled = true});
  const auto alive = Add(batch, {.first = 5});
  worker_.Run(std::move(batch));
  EXPECT_TRUE(absl::IsDeadlineExceeded(expired->status));
  EXPECT_TRUE(absl::IsCancelled(cancelled->status));
  EXPECT_EQ(expired->completions, 1);
  EXPECT_EQ(cancelled->completions, 1);
  EXPECT_THAT(alive->values, ElementsAre(10, 12, 14));
  EXPECT_EQ(model_metrics_->Statistics().num_batch_rows, 1U);
  EXPECT_EQ(model_metrics_->Statistics().failure.count, 2U);
}

TEST_F(WorkerTest, AnswerThatIsTooLargeIsRefusedBeforeItIsAllocated) {
  Batch batch;
  const auto outcome = Add(batch, {.rows = 1 << 18});
  worker_.Run(std::move(batch));
  EXPECT_TRUE(absl::IsResourceExhausted(outcome->status)) << outcome->status;
}

TEST_F(WorkerTest, RequestsWhoseAnswersAreTooLargeTogetherRunOneByOne) {
  constexpr std::int64_t kRows = 50'000;  // of 12 bytes: two of these are more than a megabyte
  Batch batch;
  const auto a = Add(batch, {.rows = kRows});
  const auto b = Add(batch, {.rows = kRows});
  const auto alone_too_large = Add(batch, {.rows = 2 * kRows});
  EXPECT_FALSE(worker_.Run(std::move(batch)));
  EXPECT_TRUE(a->status.ok()) << a->status;
  EXPECT_TRUE(b->status.ok()) << b->status;
  EXPECT_TRUE(absl::IsResourceExhausted(alone_too_large->status)) << alone_too_large->status;
  EXPECT_THAT(a->dims, ElementsAre(kRows, 3));
  EXPECT_EQ(a->completions, 1);
  EXPECT_EQ(model_metrics_->Statistics().num_batches, 2U);
}

}  // namespace
}  // namespace octet
