// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/exposition.h"

#include <chrono>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ExpositionTest, CountersAndGaugesCarryTheirLabels) {
  Exposition exposition;
  exposition.Add(MetricId::kReady, {}, 1);
  exposition.Add(MetricId::kRequestFailures, {"m", "1", "fp32", "INTERNAL"}, 3);
  const std::string text = exposition.Serialize();
  EXPECT_THAT(text, HasSubstr("# TYPE octet_ready gauge\n"));
  EXPECT_THAT(text, HasSubstr("octet_ready 1\n"));
  EXPECT_THAT(text, HasSubstr("octet_request_failures_total{model=\"m\",version=\"1\","
                              "precision=\"fp32\",code=\"INTERNAL\"} 3\n"));
}

TEST(ExpositionTest, FamiliesWithoutSamplesAreLeftOut) {
  EXPECT_THAT(Exposition().Serialize(), Not(HasSubstr("octet_ready")));
}

TEST(ExpositionTest, LabelValuesAreEscaped) {
  Exposition exposition;
  exposition.Add(MetricId::kBuildInfo, {"a\"b\\c\n"}, 1);
  EXPECT_THAT(exposition.Serialize(), HasSubstr("version=\"a\\\"b\\\\c\\n\""));
}

TEST(ExpositionTest, DurationBucketsAreCumulativeAndExact) {
  LatencyHistogram histogram;
  histogram.Record(std::chrono::nanoseconds(4095));
  histogram.Record(std::chrono::nanoseconds(4096));
  histogram.Record(std::chrono::hours(1));
  LatencyCounts counts;
  histogram.AddTo(counts);
  Exposition exposition;
  exposition.AddDurations(MetricId::kRequestDuration, {"m", "1", "fp32"}, counts);
  const std::string text = exposition.Serialize();
  EXPECT_THAT(text, HasSubstr("le=\"4.096e-06\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("le=\"1.6384e-05\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("le=\"34.359738368\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("octet_request_duration_seconds_count{model=\"m\",version=\"1\","
                              "precision=\"fp32\"} 3\n"));
}

TEST(ExpositionTest, BatchRowBucketsAreCumulative) {
  const auto batch = [](std::int64_t rows, std::uint64_t count) {
    BatchSizeStatistics statistics;
    statistics.rows = rows;
    statistics.run.count = count;
    return statistics;
  };
  const std::vector<BatchSizeStatistics> batches = {batch(1, 5), batch(3, 2), batch(256, 1)};
  Exposition exposition;
  exposition.AddBatchRows(MetricId::kBatchRows, {"m", "1", "fp32"}, batches, 267);
  const std::string text = exposition.Serialize();
  EXPECT_THAT(text, HasSubstr("le=\"1\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("le=\"2\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("le=\"4\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("le=\"128\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("le=\"+Inf\"} 8\n"));
  EXPECT_THAT(text, HasSubstr("octet_batch_rows_sum{model=\"m\",version=\"1\","
                              "precision=\"fp32\"} 267\n"));
}

}  // namespace
}  // namespace octet
