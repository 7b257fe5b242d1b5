// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/worker.h"

#include <chrono>
#include <cstdlib>
#include <utility>

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
    batch.bytes += InputByteSize(*fake.request);
    batch.requests.push_back(std::move(fake.request));
    return fake.outcome;
  }

  std::size_t Run(Batch batch) {
    run_.Begin(std::move(batch));
    const std::size_t byte_size = worker_.Run(run_);
    EXPECT_TRUE(run_.empty());
    return byte_size;
  }

  const OperatorRegistry operators_ = testing::TinyOperators();
  const std::shared_ptr<const Executable> model_ = testing::TwiceModel(operators_, 2);
  Metrics metrics_{{.num_workers = 2, .server_version = "test"}};
  const std::shared_ptr<ModelMetrics> model_metrics_ =
      std::make_shared<ModelMetrics>(ModelMetrics::Labels{"m", "1", "fp32"}, 2);
  Worker worker_{0, 1 << 20, metrics_};
  BatchRun run_;
};

TEST_F(WorkerTest, RowsOfABatchGoBackToTheirRequests) {
  Batch batch;
  const auto a = Add(batch, {.rows = 1, .first = 1});
  const auto b = Add(batch, {.rows = 2, .first = 10});
  EXPECT_EQ(Run(std::move(batch)), 36U);
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
  EXPECT_EQ(Run(std::move(batch)), 12U) << "of the one that was computed";
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
  EXPECT_EQ(Run(std::move(batch)), 0U);
  EXPECT_TRUE(absl::IsResourceExhausted(outcome->status)) << outcome->status;
}

TEST_F(WorkerTest, RequestsWhoseAnswersAreTooLargeTogetherRunOneByOne) {
  constexpr std::int64_t kRows = 50'000;  // of 12 bytes: two of these are more than a megabyte
  Batch batch;
  const auto a = Add(batch, {.rows = kRows});
  const auto b = Add(batch, {.rows = kRows});
  const auto alone_too_large = Add(batch, {.rows = 2 * kRows});
  EXPECT_EQ(Run(std::move(batch)), 0U);
  EXPECT_TRUE(a->status.ok()) << a->status;
  EXPECT_TRUE(b->status.ok()) << b->status;
  EXPECT_TRUE(absl::IsResourceExhausted(alone_too_large->status)) << alone_too_large->status;
  EXPECT_THAT(a->dims, ElementsAre(kRows, 3));
  EXPECT_EQ(a->completions, 1);
  EXPECT_EQ(model_metrics_->Statistics().num_batches, 2U);
}

TEST_F(WorkerTest, WorkersRunRowsOfOneBatch) {
  Worker other(1, 1 << 20, metrics_);
  Batch batch;
  const auto a = Add(batch, {.rows = 3, .first = 1});
  const auto b = Add(batch, {.rows = 2, .first = 100});
  run_.Begin(std::move(batch));
  ASSERT_TRUE(worker_.Begin(run_));
  const auto never = [] { return false; };
  EXPECT_TRUE(other.RunRows(run_, {.first = 2, .count = 3}, never).status.ok());
  EXPECT_TRUE(worker_.RunRows(run_, {.first = 0, .count = 2}, never).status.ok());
  // Two of four milliseconds' work went into quantizing, whatever time passed meanwhile.
  const BatchOutcome outcome = {.run = std::chrono::milliseconds(4),
                                .quantize = std::chrono::milliseconds(2),
                                .helped_parts = 1};
  EXPECT_EQ(other.Finish(run_, outcome), 60U);
  EXPECT_THAT(a->values, ElementsAre(2, 4, 6, 8, 10, 12, 14, 16, 18));
  EXPECT_THAT(b->values, ElementsAre(200, 202, 204, 206, 208, 210));
  EXPECT_EQ(a->completions, 1);
  const RequestTimes& times = a->answer.times;
  EXPECT_GT(times.quantize.count(), 0);
  EXPECT_LE(std::abs((times.quantize - times.compute).count()), 1);
  const ModelStatistics statistics = model_metrics_->Statistics();
  EXPECT_EQ(statistics.num_batches, 1U);
  EXPECT_EQ(statistics.num_split_batches, 1U);
}

TEST_F(WorkerTest, AnErrorOfOnePartIsTheAnswerToAll) {
  Batch batch;
  const auto a = Add(batch, {.rows = 1});
  const auto b = Add(batch, {.rows = 1});
  run_.Begin(std::move(batch));
  ASSERT_TRUE(worker_.Begin(run_));
  EXPECT_EQ(worker_.Finish(run_, {.status = absl::InternalError("broken")}), 0U);
  EXPECT_EQ(a->status, absl::InternalError("broken"));
  EXPECT_EQ(b->status, absl::InternalError("broken"));
  EXPECT_TRUE(run_.empty());
}

}  // namespace
}  // namespace octet
