// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/tensor.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

namespace octet {
namespace {

constexpr std::align_val_t kAlignment{64};

std::byte* Allocate(std::size_t byte_size) {
  // At least one byte, so that no tensor has a null pointer.
  return static_cast<std::byte*>(::operator new(std::max<std::size_t>(byte_size, 1), kAlignment));
}

std::byte* AllocateZeroed(std::size_t byte_size) {
  std::byte* const data = Allocate(byte_size);
  std::memset(data, 0, byte_size);
  return data;
}

}  // namespace

std::size_t ByteSize(DataType type, std::span<const std::int64_t> dims, int packed_axis) {
  const std::size_t bits = BitWidth(type);
  const auto elements = static_cast<std::size_t>(NumElements(dims));
  if (bits >= 8) return elements * (bits / 8);
  if (dims.empty()) return 1;
  const std::size_t axis =
      packed_axis < 0 ? dims.size() - 1 : static_cast<std::size_t>(packed_axis);
  const auto length = static_cast<std::size_t>(dims[axis]);
  return length == 0 ? 0 : elements / length * ((length + 1) / 2);
}

ConstantTensor::ConstantTensor(DataType type, Dims dims, std::span<const std::byte> bytes,
                               std::shared_ptr<const void> owner, int packed_axis)
    : type_(type),
      dims_(std::move(dims)),
      packed_axis_(packed_axis),
      bytes_(bytes),
      owner_(std::move(owner)) {
  assert(bytes_.size() == ByteSize(type_, dims_, packed_axis_));
}

ConstantTensor ConstantTensor::Copy(DataType type, Dims dims, std::span<const std::byte> bytes,
                                    int packed_axis) {
  std::byte* const data = Allocate(bytes.size());
  std::shared_ptr<const void> owner(data, [](const std::byte* buffer) {
    ::operator delete(const_cast<std::byte*>(buffer), kAlignment);
  });
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
  return {type, std::move(dims), {data, bytes.size()}, std::move(owner), packed_axis};
}

Tensor::Tensor(DataType type, Dims dims)
    : type_(type),
      dims_(std::move(dims)),
      byte_size_(ByteSize(type_, dims_)),
      data_(AllocateZeroed(byte_size_)) {}

Tensor Tensor::ForOverwrite(DataType type, Dims dims) {
  Tensor tensor;
  tensor.type_ = type;
  tensor.dims_ = std::move(dims);
  tensor.byte_size_ = ByteSize(tensor.type_, tensor.dims_);
  tensor.data_.reset(Allocate(tensor.byte_size_));
  return tensor;
}

void Tensor::Free::operator()(std::byte* data) const { ::operator delete(data, kAlignment); }

}  // namespace octet
