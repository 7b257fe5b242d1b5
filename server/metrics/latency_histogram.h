// SPDX-License-Identifier: Apache-2.0
// A histogram of durations that one thread writes and any thread reads.
//
// Log-linear: each power of two of nanoseconds is split into 8 buckets, so that a quantile is known
// within 1/8 of itself. A record is a load and a store of two counters, no lock and no
// read-modify-write: prometheus-cpp's own histogram takes a mutex.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace octet {

// The counts of one or several LatencyHistograms, taken at one moment.
struct LatencyCounts {
  static constexpr std::size_t kBucketsPerOctave = 8;
  static constexpr int kFirstOctave = 6;  // below 64 ns: one bucket
  static constexpr int kLastOctave = 36;  // 2^36 ns: 69 s; what is longer counts in the last bucket
  static constexpr std::size_t kNumBuckets =
      1 + static_cast<std::size_t>(kLastOctave - kFirstOctave) * kBucketsPerOctave;

  // The bucket of `nanoseconds`; values below 0 count as 0.
  static std::size_t BucketIndex(std::int64_t nanoseconds);
  // The exclusive upper bound of a bucket in nanoseconds.
  static std::int64_t BucketLimit(std::size_t index);

  // The value below which `quantile` (0 to 1) of the records lie, interpolated inside its bucket;
  // zero where nothing was recorded.
  [[nodiscard]] std::chrono::nanoseconds Quantile(double quantile) const;

  LatencyCounts& operator+=(const LatencyCounts& other);

  std::array<std::uint64_t, kNumBuckets> buckets{};
  std::uint64_t count = 0;
  std::int64_t sum_nanoseconds = 0;
};

// Thread safety: one thread at a time calls Record; any thread may call AddTo.
class LatencyHistogram {
 public:
  void Record(std::chrono::nanoseconds duration);
  // Adds what has been recorded to `counts`.
  void AddTo(LatencyCounts& counts) const;

 private:
  std::array<std::atomic<std::uint64_t>, LatencyCounts::kNumBuckets> buckets_{};
  std::atomic<std::int64_t> sum_nanoseconds_{0};
};

}  // namespace octet
