// SPDX-License-Identifier: Apache-2.0
// The bytes of one body, within what all bodies together may take.

#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <span>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"

#include "models/base/mutex.h"

namespace octet {

// Thread safety: any thread may call any method.
class ByteBudget {
 public:
  // `on_change` is called with what is used, rounded up to steps of a thirty-second of the limit,
  // whenever that has changed: on the thread that changed it, one call at a time.
  explicit ByteBudget(std::size_t limit, std::function<void(std::size_t used)> on_change = nullptr)
      : limit_(limit), on_change_(std::move(on_change)) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  // Returns false, and takes nothing, if that would pass the limit.
  [[nodiscard]] bool Take(std::size_t bytes);
  void Give(std::size_t bytes);
  [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  void Changed(std::size_t from, std::size_t to) ABSL_LOCKS_EXCLUDED(telling_);

  const std::size_t limit_;
  const std::function<void(std::size_t)> on_change_;  // null: nobody is told
  std::atomic<std::size_t> used_ = 0;
  Mutex telling_;
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
