// SPDX-License-Identifier: Apache-2.0
// Dividing a step's scratch into aligned parts. The same calls in the same order measure it and
// hand it out.

#pragma once

#include <cstddef>
#include <span>

namespace octet {

class ScratchLayout {
 public:
  static constexpr std::size_t kAlignment = 64;

  // Measures only: Take returns spans over nothing.
  ScratchLayout() = default;
  // Hands out parts of `scratch`, which starts aligned and is as large as measured.
  explicit ScratchLayout(std::span<std::byte> scratch) : base_(scratch.data()) {}

  // The next `count` elements.
  template <typename T>
  std::span<T> Take(std::size_t count) {
    const std::size_t offset = byte_size_;
    byte_size_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    if (base_ == nullptr) return {};
    return {reinterpret_cast<T*>(base_ + offset), count};
  }

  [[nodiscard]] std::size_t byte_size() const { return byte_size_; }

 private:
  std::byte* base_ = nullptr;
  std::size_t byte_size_ = 0;
};

}  // namespace octet
