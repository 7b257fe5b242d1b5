// SPDX-License-Identifier: Apache-2.0
// The bytes of one body, within what all bodies together may take.

#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "absl/strings/string_view.h"

namespace octet {

// Thread safety: any thread may call any method.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t limit) : limit_(limit) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  // Returns false, and takes nothing, if that would pass the limit.
  [[nodiscard]] bool Take(std::size_t bytes);
  void Give(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_ = 0;
};

// Grows with what has come, never with what was announced, and by moving pages rather than copying
// where it is large.
//
// Thread safety: one thread at a time. Its budget outlives it.
class BodyBuffer {
 public:
  BodyBuffer() = default;
  explicit BodyBuffer(ByteBudget* budget) : budget_(budget) {}
  ~BodyBuffer();
  BodyBuffer(BodyBuffer&& other) noexcept;
  BodyBuffer& operator=(BodyBuffer&& other) noexcept;
  BodyBuffer(const BodyBuffer&) = delete;
  BodyBuffer& operator=(const BodyBuffer&) = delete;

  // Makes room for more bytes, some of at most `most`, the size that it will ever have. Returns
  // false if the budget has none, or the body has `most` bytes already.
  [[nodiscard]] bool Grow(std::size_t most);
  // Where the next bytes go; empty until Grow.
  [[nodiscard]] std::span<std::byte> room() { return {data_ + size_, capacity_ - size_}; }
  // So many of them have come.
  void Commit(std::size_t bytes) { size_ += bytes; }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] absl::string_view text() const {
    return {reinterpret_cast<const char*>(data_), size_};
  }

 private:
  ByteBudget* budget_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace octet
