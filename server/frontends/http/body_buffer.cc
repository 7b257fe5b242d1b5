// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/body_buffer.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace octet {
namespace {

constexpr std::size_t kFirstBytes = 16 << 10;

}  // namespace

bool ByteBudget::Take(std::size_t bytes) {
  std::size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ || used > limit_ - bytes) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  Changed(used, used + bytes);
  return true;
}

void ByteBudget::Give(std::size_t bytes) {
  const std::size_t used = used_.fetch_sub(bytes, std::memory_order_relaxed);
  Changed(used, used - bytes);
}

void ByteBudget::Changed(std::size_t from, std::size_t to) {
  const std::size_t step = limit_ / 32 + 1;
  const auto rounded_up = [step](std::size_t bytes) { return (bytes + step - 1) / step * step; };
  if (on_change_ == nullptr || rounded_up(from) == rounded_up(to)) return;
  const MutexLock lock(telling_);
  // What is true now: of two threads, the one that changed it first may come here last.
  on_change_(rounded_up(used()));
}

BodyBuffer::~BodyBuffer() {
  std::free(data_);
  if (budget_ != nullptr) budget_->Give(capacity_);
}

BodyBuffer::BodyBuffer(BodyBuffer&& other) noexcept { *this = std::move(other); }

BodyBuffer& BodyBuffer::operator=(BodyBuffer&& other) noexcept {
  std::swap(budget_, other.budget_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

bool BodyBuffer::Grow(std::size_t most) {
  if (size_ < capacity_) return true;
  if (capacity_ >= most) return false;
  const std::size_t capacity =
      std::min(most, std::max(kFirstBytes, capacity_ > most / 2 ? most : capacity_ * 2));
  if (budget_ != nullptr && !budget_->Take(capacity - capacity_)) return false;
  // Large blocks are remapped by it: no byte is copied.
  void* const grown = std::realloc(data_, capacity);
  if (grown == nullptr) {
    if (budget_ != nullptr) budget_->Give(capacity - capacity_);
    return false;
  }
  data_ = static_cast<std::byte*>(grown);
  capacity_ = capacity;
  return true;
}

}  // namespace octet
