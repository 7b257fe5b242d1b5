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
  return true;
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
