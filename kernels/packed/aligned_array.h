// SPDX-License-Identifier: Apache-2.0
// A fixed number of values that start at a cache line. Private to this room.

#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace octet::kernels {

template <typename T>
class AlignedArray {
  static_assert(std::is_trivial_v<T>);

 public:
  AlignedArray() = default;
  // All bytes 0.
  explicit AlignedArray(std::size_t size)
      : size_(size), data_(static_cast<T*>(::operator new(size * sizeof(T) + 1, kAlignment))) {
    std::memset(data_.get(), 0, size * sizeof(T));
  }
  AlignedArray(std::size_t size, T value) : AlignedArray(size) {
    for (T& element : std::span(data_.get(), size)) element = value;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](std::size_t i) { return data_.get()[i]; }
  const T& operator[](std::size_t i) const { return data_.get()[i]; }
  std::size_t size() const { return size_; }
  std::size_t ByteSize() const { return size_ * sizeof(T); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(T* data) const { ::operator delete(data, kAlignment); }
  };

  std::size_t size_ = 0;
  std::unique_ptr<T, Free> data_;
};

inline constexpr std::size_t RoundUp(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace octet::kernels
