// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/tensor_comparison.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/strings/str_cat.h"

namespace octet {
namespace {

// A number that prints as such: a char type would print as a character.
template <typename T>
auto Printable(T value) {
  if constexpr (sizeof(T) == 1) {
    return static_cast<int>(value);
  } else {
    return value;
  }
}

template <typename T>
absl::Status Differs(std::size_t index, T got, T wants) {
  return absl::FailedPreconditionError(
      absl::StrCat("element ", index, ": got ", Printable(got), ", wants ", Printable(wants)));
}

template <typename T>
std::span<const T> Elements(const TensorView& tensor) {
  return {tensor.as<T>(), static_cast<std::size_t>(NumElements(tensor.dims))};
}

template <typename T>
absl::Status CompareExactly(const TensorView& got, const TensorView& wants) {
  const std::span<const T> a = Elements<T>(got);
  const std::span<const T> b = Elements<T>(wants);
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (a[i] != b[i]) return Differs(i, a[i], b[i]);
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status CompareWithin(const TensorView& got, const TensorView& wants, double tolerance) {
  const std::span<const T> a = Elements<T>(got);
  const std::span<const T> b = Elements<T>(wants);
  double largest = 0;
  for (const T value : b) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(static_cast<double>(value)));
  }
  const double bound = tolerance * largest;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(difference <= bound)) return Differs(i, a[i], b[i]);
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status CompareSteps(const TensorView& got, const TensorView& wants, double tolerance) {
  const std::span<const T> a = Elements<T>(got);
  const std::span<const T> b = Elements<T>(wants);
  const double bound = std::floor(tolerance * 255);
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (std::abs(int{a[i]} - int{b[i]}) > bound) return Differs(i, a[i], b[i]);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CompareAnswers(const TensorView& got, const TensorView& wants, double tolerance) {
  if (wants.data_type == DataType::kInt8) return CompareSteps<std::int8_t>(got, wants, tolerance);
  if (wants.data_type == DataType::kUint8) return CompareSteps<std::uint8_t>(got, wants, tolerance);
  return CompareTensors(got, wants, tolerance);
}

absl::Status CompareTensors(const TensorView& got, const TensorView& wants, double tolerance) {
  assert(got.data_type == wants.data_type && std::ranges::equal(got.dims, wants.dims));
  switch (wants.data_type) {
    case DataType::kBool:
    case DataType::kUint8:
      return CompareExactly<std::uint8_t>(got, wants);
    case DataType::kInt8:
      return CompareExactly<std::int8_t>(got, wants);
    case DataType::kInt16:
      return CompareExactly<std::int16_t>(got, wants);
    case DataType::kUint16:
      return CompareExactly<std::uint16_t>(got, wants);
    case DataType::kInt32:
      return CompareExactly<std::int32_t>(got, wants);
    case DataType::kUint32:
      return CompareExactly<std::uint32_t>(got, wants);
    case DataType::kInt64:
      return CompareExactly<std::int64_t>(got, wants);
    case DataType::kUint64:
      return CompareExactly<std::uint64_t>(got, wants);
    case DataType::kFloat32:
      return CompareWithin<float>(got, wants, tolerance);
    case DataType::kFloat64:
      return CompareWithin<double>(got, wants, tolerance);
    case DataType::kInt4:
    case DataType::kUint4:
    case DataType::kFloat16:
    case DataType::kBfloat16:
      break;
  }
  return absl::UnimplementedError(
      absl::StrCat("is ", DataTypeName(wants.data_type), ", which is not compared"));
}

}  // namespace octet
