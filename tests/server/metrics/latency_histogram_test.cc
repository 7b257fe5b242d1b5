// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/latency_histogram.h"

#include <chrono>
#include <cstdint>
#include <thread>

#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;

TEST(LatencyCountsTest, EveryValueLiesBelowItsBucketsLimitAndNotBelowTheLast) {
  for (std::int64_t value = 1; value < (std::int64_t{1} << 36); value += value / 7 + 1) {
    const std::size_t index = LatencyCounts::BucketIndex(value);
    EXPECT_LT(value, LatencyCounts::BucketLimit(index)) << value;
    if (index > 0) {
      EXPECT_GE(value, LatencyCounts::BucketLimit(index - 1)) << value;
    }
  }
}

TEST(LatencyCountsTest, BucketsAreAtMostAnEighthWide) {
  for (std::size_t i = 1; i < LatencyCounts::kNumBuckets; ++i) {
    const std::int64_t low = LatencyCounts::BucketLimit(i - 1);
    EXPECT_GT(LatencyCounts::BucketLimit(i), low);
    EXPECT_LE(LatencyCounts::BucketLimit(i) - low, low / 8);
  }
}

TEST(LatencyCountsTest, ExtremesGoIntoTheFirstAndLastBucket) {
  EXPECT_EQ(LatencyCounts::BucketIndex(-5), 0U);
  EXPECT_EQ(LatencyCounts::BucketIndex(0), 0U);
  EXPECT_EQ(LatencyCounts::BucketIndex(INT64_MAX), LatencyCounts::kNumBuckets - 1);
}

TEST(LatencyHistogramTest, QuantilesAreWithinABucketOfTheTruth) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.Record(nanoseconds(i * 1000));
  LatencyCounts counts;
  histogram.AddTo(counts);
  EXPECT_EQ(counts.count, 1000U);
  EXPECT_EQ(counts.sum_nanoseconds, 500'500'000);
  EXPECT_NEAR(static_cast<double>(counts.Quantile(0.5).count()), 500e3, 500e3 / 8);
  EXPECT_NEAR(static_cast<double>(counts.Quantile(0.99).count()), 990e3, 990e3 / 8);
  EXPECT_GE(counts.Quantile(1.0).count(), 1'000'000);
}

TEST(LatencyHistogramTest, NothingRecordedIsZero) {
  EXPECT_EQ(LatencyCounts{}.Quantile(0.5), nanoseconds(0));
}

TEST(LatencyHistogramTest, NegativeDurationsCountAsZero) {
  LatencyHistogram histogram;
  histogram.Record(nanoseconds(-7));
  LatencyCounts counts;
  histogram.AddTo(counts);
  EXPECT_EQ(counts.count, 1U);
  EXPECT_EQ(counts.sum_nanoseconds, 0);
}

TEST(LatencyHistogramTest, ReadersSeeConsistentCountsWhileAWriterWorks) {
  LatencyHistogram histogram;
  std::thread writer([&histogram] {
    for (int i = 0; i < 100'000; ++i) histogram.Record(nanoseconds(i));
  });
  std::uint64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    LatencyCounts counts;
    histogram.AddTo(counts);
    EXPECT_GE(counts.count, last);
    last = counts.count;
  }
  writer.join();
  LatencyCounts counts;
  histogram.AddTo(counts);
  EXPECT_EQ(counts.count, 100'000U);
}

}  // namespace
}  // namespace octet
