// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/latency_histogram.h"

#include <algorithm>
#include <bit>

namespace octet {
namespace {

constexpr std::int64_t kFirstLimit = std::int64_t{1} << LatencyCounts::kFirstOctave;
constexpr int kSubBits = 3;  // log2(kBucketsPerOctave)

}  // namespace

std::size_t LatencyCounts::BucketIndex(std::int64_t nanoseconds) {
  if (nanoseconds < kFirstLimit) return 0;
  const auto value = static_cast<std::uint64_t>(nanoseconds);
  const int octave = static_cast<int>(std::bit_width(value)) - 1;
  if (octave >= kLastOctave) return kNumBuckets - 1;
  const std::size_t sub = (value >> (octave - kSubBits)) & (kBucketsPerOctave - 1);
  return 1 + static_cast<std::size_t>(octave - kFirstOctave) * kBucketsPerOctave + sub;
}

std::int64_t LatencyCounts::BucketLimit(std::size_t index) {
  if (index == 0) return kFirstLimit;
  const std::size_t octave = (index - 1) / kBucketsPerOctave;
  const auto eighths =
      static_cast<std::int64_t>((index - 1) % kBucketsPerOctave + 1 + kBucketsPerOctave);
  return (eighths << (octave + static_cast<std::size_t>(kFirstOctave))) >> kSubBits;
}

std::chrono::nanoseconds LatencyCounts::Quantile(double quantile) const {
  if (count == 0) return std::chrono::nanoseconds(0);
  const double wanted = std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count);
  double before = 0;
  for (std::size_t i = 0; i < kNumBuckets; ++i) {
    const auto here = static_cast<double>(buckets[i]);
    if (here > 0 && before + here >= wanted) {
      const auto low = static_cast<double>(i == 0 ? 0 : BucketLimit(i - 1));
      const auto high = static_cast<double>(BucketLimit(i));
      return std::chrono::nanoseconds(
          static_cast<std::int64_t>(low + (high - low) * (wanted - before) / here));
    }
    before += here;
  }
  return std::chrono::nanoseconds(BucketLimit(kNumBuckets - 1));
}

LatencyCounts& LatencyCounts::operator+=(const LatencyCounts& other) {
  for (std::size_t i = 0; i < kNumBuckets; ++i) buckets[i] += other.buckets[i];
  count += other.count;
  sum_nanoseconds += other.sum_nanoseconds;
  return *this;
}

void LatencyHistogram::Record(std::chrono::nanoseconds duration) {
  const std::int64_t value = std::max<std::int64_t>(0, duration.count());
  std::atomic<std::uint64_t>& bucket = buckets_[LatencyCounts::BucketIndex(value)];
  // One writer: a plain load and store lose nothing.
  bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  sum_nanoseconds_.store(sum_nanoseconds_.load(std::memory_order_relaxed) + value,
                         std::memory_order_relaxed);
}

void LatencyHistogram::AddTo(LatencyCounts& counts) const {
  for (std::size_t i = 0; i < LatencyCounts::kNumBuckets; ++i) {
    const std::uint64_t value = buckets_[i].load(std::memory_order_relaxed);
    counts.buckets[i] += value;
    counts.count += value;  // from the buckets, so that the two agree while a writer is at work
  }
  counts.sum_nanoseconds += sum_nanoseconds_.load(std::memory_order_relaxed);
}

}  // namespace octet
