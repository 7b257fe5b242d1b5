// SPDX-License-Identifier: Apache-2.0
// How long a batch of one model will take, by those that ran.

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace octet {

// Judges by the bytes of the inputs: rows say nothing of the length of a sequence. Batches of like
// size are judged by each other: many small ones, which cost more a byte, say little of a large
// one. Thread safety: one thread at a time.
class BatchTime {
 public:
  // 0: not known, because none has run yet that was at least half as large.
  [[nodiscard]] std::chrono::nanoseconds Expect(std::size_t input_bytes) const {
    if (input_bytes / 2 > largest_) return std::chrono::nanoseconds(0);
    // By the next larger ones that are known, or else by those of half the size.
    std::size_t size = SizeOf(input_bytes);
    while (size < nanoseconds_per_byte_.size() && nanoseconds_per_byte_[size] == 0) ++size;
    if (size == nanoseconds_per_byte_.size()) size = SizeOf(largest_);
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(nanoseconds_per_byte_[size] * static_cast<double>(input_bytes)));
  }

  // What the rows of so many bytes take in whatever batch is the best for them; 0: not known.
  [[nodiscard]] std::chrono::nanoseconds Least(std::size_t input_bytes) const {
    double least = 0;
    for (const double per_byte : nanoseconds_per_byte_) {
      if (per_byte > 0 && (least == 0 || per_byte < least)) least = per_byte;
    }
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(least * static_cast<double>(input_bytes)));
  }

  // A batch of `input_bytes`, at least 1, took `time`.
  void Record(std::size_t input_bytes, std::chrono::nanoseconds time) {
    const double per_byte = static_cast<double>(time.count()) / static_cast<double>(input_bytes);
    double& average = nanoseconds_per_byte_[SizeOf(input_bytes)];
    average = average == 0 ? per_byte : (7 * average + per_byte) / 8;
    largest_ = std::max(largest_, input_bytes);
  }

 private:
  // Sizes between two powers of two are alike.
  static std::size_t SizeOf(std::size_t input_bytes) {
    return static_cast<std::size_t>(std::bit_width(input_bytes));
  }

  std::array<double, 65> nanoseconds_per_byte_{};  // moving averages, by size; 0: none ran
  std::size_t largest_ = 0;
};

}  // namespace octet
