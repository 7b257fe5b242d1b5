// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/model_metrics.h"

#include <chrono>

#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono_literals::operator""us;

ModelMetrics::Labels DigitsLabels() { return {"digits", "1", "fp32"}; }

TEST(ModelMetricsTest, StatisticsMergeAllWorkers) {
  ModelMetrics metrics(DigitsLabels(), 2);
  metrics.RecordSuccess(0, {.queue = 1us, .compute = 10us, .total = 20us, .rows = 2});
  metrics.RecordSuccess(1, {.queue = 3us, .compute = 30us, .total = 40us, .rows = 1});
  const ModelStatistics statistics = metrics.Statistics();
  EXPECT_EQ(statistics.success.count, 2U);
  EXPECT_EQ(statistics.success.nanoseconds, 60'000U);
  EXPECT_EQ(statistics.num_rows, 3U);
  EXPECT_EQ(statistics.stages[static_cast<std::size_t>(Stage::kQueue)].sum_nanoseconds, 4'000);
  EXPECT_EQ(statistics.stages[static_cast<std::size_t>(Stage::kCompute)].sum_nanoseconds, 40'000);
  EXPECT_GT(statistics.last_inference_unix_milliseconds, 1'600'000'000'000);
}

TEST(ModelMetricsTest, FailuresAreCountedByCodeAndNotAsSuccesses) {
  ModelMetrics metrics(DigitsLabels(), 1);
  metrics.RecordFailure(0, absl::StatusCode::kInvalidArgument, 5us);
  metrics.RecordFailure(0, absl::StatusCode::kInvalidArgument, 5us);
  metrics.RecordFailure(0, static_cast<absl::StatusCode>(99), 5us);
  const ModelStatistics statistics = metrics.Statistics();
  EXPECT_EQ(statistics.failure.count, 3U);
  EXPECT_EQ(statistics.failure.nanoseconds, 15'000U);
  EXPECT_EQ(statistics.failures_by_code[3], 2U);
  EXPECT_EQ(statistics.failures_by_code[2], 1U) << "a code that is none counts as UNKNOWN";
  EXPECT_EQ(statistics.success.count, 0U);
  EXPECT_EQ(statistics.last_inference_unix_milliseconds, 0);
}

TEST(ModelMetricsTest, BatchesAreListedBySize) {
  ModelMetrics metrics(DigitsLabels(), 2);
  metrics.RecordBatch(0, {.rows = 8, .gather = 1us, .run = 5us, .scatter = 2us});
  metrics.RecordBatch(1, {.rows = 8, .gather = 1us, .run = 7us, .scatter = 2us});
  metrics.RecordBatch(1, {.rows = 1, .run = 3us});
  metrics.RecordBatch(0, {.rows = 8, .run = 3us, .helped_parts = 3});
  metrics.RecordBatch(1, {.rows = 100'000, .run = 3us});
  const ModelStatistics statistics = metrics.Statistics();
  EXPECT_EQ(statistics.num_batches, 5U);
  EXPECT_EQ(statistics.num_batch_rows, 100'025U);
  EXPECT_EQ(statistics.num_split_batches, 1U);
  EXPECT_EQ(statistics.num_helped_parts, 3U);
  ASSERT_EQ(statistics.batches.size(), 3U);
  EXPECT_EQ(statistics.batches[0].rows, 1);
  EXPECT_EQ(statistics.batches[1].rows, 8);
  EXPECT_EQ(statistics.batches[1].run.count, 3U);
  EXPECT_EQ(statistics.batches[1].run.nanoseconds, 15'000U);
  EXPECT_EQ(statistics.batches[1].gather.nanoseconds, 2'000U);
  EXPECT_EQ(statistics.batches[2].rows, ModelMetrics::kMaxBatchRows);
}

}  // namespace
}  // namespace octet
