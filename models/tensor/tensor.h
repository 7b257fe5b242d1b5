// SPDX-License-Identifier: Apache-2.0
// Tensors: borrowed views for running, shared immutable constants for weights, and owned buffers.
// All are dense, row-major, little-endian.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernels/quantization.h"
#include "models/tensor/data_type.h"
#include "models/tensor/shape.h"

namespace octet {

// What the elements of one quantized activation tensor mean: real = scale * (q - zero_point).
struct TensorQuantization {
  kernels::Scale scale{1.0F};
  kernels::ZeroPoint zero_point{0};
  friend bool operator==(const TensorQuantization&, const TensorQuantization&) = default;
};

// The type of a value in a graph.
struct TensorType {
  DataType data_type = DataType::kFloat32;
  Shape shape;
  // Set for integer activations that stand for real numbers (PTSQ); never for weights, whose
  // scales are inputs of the node that uses them.
  std::optional<TensorQuantization> quantization;
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

// Bytes of a dense tensor. For 4-bit types packed along `packed_axis` (-1: the last), each run
// along that axis is padded to a whole byte.
std::size_t ByteSize(DataType type, std::span<const std::int64_t> dims, int packed_axis = -1);

// Somebody else's tensor for the length of a call. The data may be unaligned.
struct TensorView {
  DataType data_type = DataType::kFloat32;
  std::span<const std::int64_t> dims;
  const void* data = nullptr;

  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};
struct MutableTensorView {
  DataType data_type = DataType::kFloat32;
  std::span<const std::int64_t> dims;
  void* data = nullptr;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  operator TensorView() const { return {data_type, dims, data}; }  // NOLINT: a view is a view
};

// An immutable tensor whose bytes live as long as any copy of it: weights, usually mapped from a
// bundle. Copies are cheap and share the bytes.
// Thread safety: immutable.
class ConstantTensor {
 public:
  ConstantTensor() = default;
  // Borrows `bytes`, kept alive by `owner`. Precondition: bytes.size() == ByteSize(type, dims,
  // packed_axis).
  ConstantTensor(DataType type, Dims dims, std::span<const std::byte> bytes,
                 std::shared_ptr<const void> owner, int packed_axis = -1);
  // Copies `bytes` into a 64-byte aligned buffer of its own.
  static ConstantTensor Copy(DataType type, Dims dims, std::span<const std::byte> bytes,
                             int packed_axis = -1);
  template <typename T>
  static ConstantTensor Copy(DataType type, Dims dims, const std::vector<T>& elements) {
    return Copy(type, std::move(dims), std::as_bytes(std::span(elements)));
  }

  [[nodiscard]] DataType data_type() const { return type_; }
  // Logical dimensions: elements, not bytes, also for packed types.
  [[nodiscard]] const Dims& dims() const { return dims_; }
  // The axis along which two 4-bit elements share a byte; -1 for the last and for other types.
  [[nodiscard]] int packed_axis() const { return packed_axis_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] TensorView view() const { return {type_, dims_, bytes_.data()}; }
  // Precondition: sizeof(T) * 8 == BitWidth(data_type()).
  template <typename T>
  [[nodiscard]] std::span<const T> as() const {
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }

 private:
  DataType type_ = DataType::kFloat32;
  Dims dims_;
  int packed_axis_ = -1;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

// A tensor with a 64-byte aligned buffer of its own.
class Tensor {
 public:
  Tensor() = default;
  // Zero-filled.
  Tensor(DataType type, Dims dims);
  // Of any bytes: for who writes all of them before anybody reads one.
  static Tensor ForOverwrite(DataType type, Dims dims);

  [[nodiscard]] DataType data_type() const { return type_; }
  [[nodiscard]] const Dims& dims() const { return dims_; }
  [[nodiscard]] std::span<std::byte> bytes() { return {data_.get(), byte_size_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_.get(), byte_size_}; }
  [[nodiscard]] TensorView view() const { return {type_, dims_, data_.get()}; }
  [[nodiscard]] MutableTensorView mutable_view() { return {type_, dims_, data_.get()}; }
  template <typename T>
  [[nodiscard]] std::span<T> as() {
    return {reinterpret_cast<T*>(data_.get()), byte_size_ / sizeof(T)};
  }
  template <typename T>
  [[nodiscard]] std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data_.get()), byte_size_ / sizeof(T)};
  }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  DataType type_ = DataType::kFloat32;
  Dims dims_;
  std::size_t byte_size_ = 0;
  std::unique_ptr<std::byte[], Free> data_;
};

}  // namespace octet
