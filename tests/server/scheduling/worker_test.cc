// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/worker.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_requests.h"
#include "tests/support/sequence_model.h"

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

// Of a model that takes sequences of different lengths together.
class SequenceWorkerTest : public WorkerTest {
 protected:
  // Of one row each.
  std::shared_ptr<Outcome> Add(Batch& batch, std::int64_t length, float first = 0) {
    FakeRequest fake(sequences_, model_metrics_, Options(length, first));
    Append(std::move(fake.request), batch);
    return fake.outcome;
  }
  static RequestOptions Options(std::int64_t length, float first = 0) {
    return {.first = first, .length = length, .width = 2};
  }
  static void ExpectAnswer(const Outcome& outcome, std::int64_t length, float first = 0) {
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    EXPECT_THAT(outcome.dims, ElementsAre(1, length, 2));
    EXPECT_EQ(outcome.values, testing::SequenceAnswer(Options(length, first)));
    EXPECT_EQ(outcome.completions, 1);
  }

  testing::SequenceRuns runs_;
  const OperatorRegistry sequence_operators_ = testing::SequenceOperators(&runs_);
  const std::shared_ptr<const Executable> sequences_ = testing::SequenceModel(sequence_operators_);
};

TEST_F(SequenceWorkerTest, SequencesOfDifferentLengthsAreOneBatch) {
  Batch batch;
  const auto a = Add(batch, 7, 1);
  const auto b = Add(batch, 12, 100);
  const auto c = Add(batch, 31, 1000);
  EXPECT_EQ(batch.positions, 50);
  EXPECT_EQ(Run(std::move(batch)), 50U * 8);
  ExpectAnswer(*a, 7, 1);
  ExpectAnswer(*b, 12, 100);
  ExpectAnswer(*c, 31, 1000);
  EXPECT_THAT(runs_.products, ElementsAre(50)) << "the weights were read once";
  EXPECT_THAT(runs_.lengths, ElementsAre(7, 12, 31));
  const ModelStatistics statistics = model_metrics_->Statistics();
  EXPECT_EQ(statistics.num_batches, 1U);
  EXPECT_EQ(statistics.num_batch_rows, 3U);
  EXPECT_EQ(b->answer.times.batch_rows, 3);
}

TEST_F(SequenceWorkerTest, BatchesOfOneLengthFollowAndPrecedeThem) {
  for (const std::int64_t other : {5, 9, 5}) {
    Batch batch;
    const auto a = Add(batch, 5, 1);
    const auto b = Add(batch, other, 2);
    Run(std::move(batch));
    ExpectAnswer(*a, 5, 1);
    ExpectAnswer(*b, other, 2);
  }
  EXPECT_THAT(runs_.products, ElementsAre(10, 14, 10));
}

TEST_F(SequenceWorkerTest, OneThatAStepRefusesFailsAlone) {
  Batch batch;
  const auto a = Add(batch, 7);
  const auto b = Add(batch, 12);
  const auto too_long = Add(batch, testing::kLongestSequence + 1);
  const auto c = Add(batch, testing::kLongestSequence);
  const auto d = Add(batch, 3);
  EXPECT_EQ(Run(std::move(batch)), 0U);
  ExpectAnswer(*a, 7);
  ExpectAnswer(*b, 12);
  ExpectAnswer(*c, testing::kLongestSequence);
  ExpectAnswer(*d, 3);
  EXPECT_EQ(too_long->completions, 1);
  EXPECT_EQ(too_long->status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(too_long->status.message()), ::testing::HasSubstr("at most 100"));
  EXPECT_THAT(runs_.products, ElementsAre(19, 103))
      << "the others stayed together as far as possible";
}

TEST_F(SequenceWorkerTest, DeadOnesLeaveTheBatch) {
  Batch batch;
  const auto a = Add(batch, 7);
  FakeRequest cancelled(sequences_, model_metrics_,
                        {.length = 90, .width = 2, .is_cancelled = true});
  Append(std::move(cancelled.request), batch);
  FakeRequest expired(sequences_, model_metrics_,
                      {.length = 50,
                       .width = 2,
                       .deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1)});
  Append(std::move(expired.request), batch);
  const auto b = Add(batch, 3);
  Run(std::move(batch));
  ExpectAnswer(*a, 7);
  ExpectAnswer(*b, 3);
  EXPECT_TRUE(absl::IsCancelled(cancelled.outcome->status));
  EXPECT_TRUE(absl::IsDeadlineExceeded(expired.outcome->status));
  EXPECT_THAT(runs_.products, ElementsAre(10));
}

TEST_F(SequenceWorkerTest, WorkersRunSequencesOfOneBatch) {
  Worker other(1, 1 << 20, metrics_);
  Batch batch;
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (const std::int64_t length : {4, 9, 9, 2}) outcomes.push_back(Add(batch, length));
  run_.Begin(std::move(batch));
  ASSERT_TRUE(worker_.Begin(run_));
  const auto never = [] { return false; };
  EXPECT_TRUE(other.RunRows(run_, {.first = 2, .count = 2}, never).status.ok());
  EXPECT_TRUE(
      absl::IsCancelled(other.RunRows(run_, {.first = 0, .count = 2}, [] { return true; }).status));
  EXPECT_TRUE(worker_.RunRows(run_, {.first = 0, .count = 2}, never).status.ok());
  EXPECT_EQ(worker_.Finish(run_, {.helped_parts = 1}), 24U * 8);
  ExpectAnswer(*outcomes[0], 4);
  ExpectAnswer(*outcomes[1], 9);
  ExpectAnswer(*outcomes[2], 9);
  ExpectAnswer(*outcomes[3], 2);
  EXPECT_THAT(runs_.products, ElementsAre(11, 13));
}

TEST_F(SequenceWorkerTest, AnswersThatAreTooLargeTogetherAreFewerAtATime) {
  Worker small(0, 1200, metrics_);
  Batch batch;
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (const std::int64_t length : {80, 50, 60, 40}) outcomes.push_back(Add(batch, length));
  run_.Begin(std::move(batch));
  small.Run(run_);
  ExpectAnswer(*outcomes[0], 80);
  ExpectAnswer(*outcomes[3], 40);
  EXPECT_THAT(runs_.products, ElementsAre(130, 100)) << "of 8 bytes each";
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
