// SPDX-License-Identifier: Apache-2.0
// A queue of fixed size between threads that must not wait for each other.

#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace octet {

// First in, first out, but for elements that are put in at the same moment.
//
// No call waits or takes a lock: a thread that the kernel stops in the middle of a call holds up
// nobody who puts in; who takes out finds nothing until it goes on. Each cell carries the number of
// the turn that it is ready for, so that claiming a cell is one exchange of an index.
//
// Thread safety: any number of threads may call both.
template <typename T>
class BoundedRing {
 public:
  // Room for `capacity` elements, rounded up to a power of two.
  explicit BoundedRing(std::size_t capacity)
      : size_(std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity)),
        cells_(std::make_unique<Cell[]>(size_)) {
    for (std::size_t i = 0; i < size_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }
  BoundedRing(const BoundedRing&) = delete;
  BoundedRing& operator=(const BoundedRing&) = delete;

  // Puts `value` in. Returns false, and leaves it as it was, if there is no room.
  [[nodiscard]] bool TryPush(T& value) {
    std::uint64_t place = next_in_.load(std::memory_order_relaxed);
    while (true) {
      Cell& cell = cells_[place & (size_ - 1)];
      const std::uint64_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == place) {
        if (next_in_.compare_exchange_weak(place, place + 1, std::memory_order_relaxed)) {
          cell.value = std::move(value);
          cell.turn.store(place + 1, std::memory_order_release);
          return true;
        }
      } else if (turn < place) {
        return false;
      } else {
        place = next_in_.load(std::memory_order_relaxed);
      }
    }
  }

  // Takes the oldest out. Returns nullopt if there is none.
  [[nodiscard]] std::optional<T> TryPop() {
    std::uint64_t place = next_out_.load(std::memory_order_relaxed);
    while (true) {
      Cell& cell = cells_[place & (size_ - 1)];
      const std::uint64_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == place + 1) {
        if (next_out_.compare_exchange_weak(place, place + 1, std::memory_order_relaxed)) {
          std::optional<T> value(std::move(cell.value));
          cell.value = T();
          cell.turn.store(place + size_, std::memory_order_release);
          return value;
        }
      } else if (turn <= place) {
        return std::nullopt;
      } else {
        place = next_out_.load(std::memory_order_relaxed);
      }
    }
  }

  [[nodiscard]] std::size_t capacity() const { return size_; }

 private:
  struct Cell {
    std::atomic<std::uint64_t> turn{0};
    T value{};
  };

  const std::size_t size_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<std::uint64_t> next_in_{0};
  alignas(64) std::atomic<std::uint64_t> next_out_{0};
};

}  // namespace octet
