// SPDX-License-Identifier: Apache-2.0
// How long a batch of one model will take, by those that ran.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace octet {

// Judges by the bytes of the inputs: rows say nothing of the length of a sequence.
// Thread safety: one thread at a time.
class BatchTime {
 public:
  // 0: not known, because none has run yet that was at least half as large.
  [[nodiscard]] std::chrono::nanoseconds Expect(std::size_t input_bytes) const {
    if (input_bytes / 2 > largest_) return std::chrono::nanoseconds(0);
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(nanoseconds_per_byte_ * static_cast<double>(input_bytes)));
  }

  // A batch of `input_bytes`, at least 1, took `time`.
  void Record(std::size_t input_bytes, std::chrono::nanoseconds time) {
    const double per_byte = static_cast<double>(time.count()) / static_cast<double>(input_bytes);
    nanoseconds_per_byte_ = largest_ == 0 ? per_byte : (7 * nanoseconds_per_byte_ + per_byte) / 8;
    largest_ = std::max(largest_, input_bytes);
  }

 private:
  double nanoseconds_per_byte_ = 0;  // moving average
  std::size_t largest_ = 0;
};

}  // namespace octet
