// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/shape.h"

#include <cassert>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"

namespace octet {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;

absl::Status Overflow() {
  return absl::InvalidArgumentError("a dimension does not fit a signed 64-bit number");
}

std::int64_t FloorDivide(std::int64_t value, std::int64_t divisor) {
  const std::int64_t quotient = value / divisor;
  return value % divisor < 0 ? quotient - 1 : quotient;
}

}  // namespace

std::int64_t Dim::Evaluate(SymbolValues values) const {
  if (is_constant()) return offset_;
  assert(static_cast<std::size_t>(symbol_.index) < values.size());
  return FloorDivide(scale_ * values[static_cast<std::size_t>(symbol_.index)] + offset_, divisor_);
}

absl::StatusOr<Dim> Dim::Plus(std::int64_t addend) const {
  Dim result = *this;
  std::int64_t scaled = 0;
  if (__builtin_mul_overflow(addend, divisor_, &scaled) ||
      __builtin_add_overflow(offset_, scaled, &result.offset_)) {
    return Overflow();
  }
  return result;
}

absl::StatusOr<Dim> Dim::Times(std::int64_t factor) const {
  if (factor == 0) return Dim(0);
  Dim result = *this;
  if (divisor_ != 1) {
    if (factor == 1) return result;
    return absl::UnimplementedError(
        absl::StrCat("a dimension that was divided by ", divisor_, " is multiplied by ", factor));
  }
  if (__builtin_mul_overflow(scale_, factor, &result.scale_) ||
      __builtin_mul_overflow(offset_, factor, &result.offset_)) {
    return Overflow();
  }
  return result;
}

absl::StatusOr<Dim> Dim::FloorDividedBy(std::int64_t divisor) const {
  if (divisor <= 0) return absl::InvalidArgumentError(absl::StrCat("divisor ", divisor));
  if (is_constant()) return Dim(FloorDivide(offset_, divisor));
  Dim result = *this;
  if (__builtin_mul_overflow(divisor_, divisor, &result.divisor_)) return Overflow();
  const std::int64_t common = std::gcd(std::gcd(result.scale_, result.offset_), result.divisor_);
  result.scale_ /= common;
  result.offset_ /= common;
  result.divisor_ /= common;
  return result;
}

absl::StatusOr<Dim> Dim::Sum(const Dim& a, const Dim& b) {
  if (a.is_constant()) return b.Plus(a.value());
  if (b.is_constant()) return a.Plus(b.value());
  if (a.symbol_ != b.symbol_ || a.divisor_ != 1 || b.divisor_ != 1) {
    return absl::UnimplementedError("the sum of two open dimensions of different kinds");
  }
  Dim result = a;
  if (__builtin_add_overflow(a.scale_, b.scale_, &result.scale_) ||
      __builtin_add_overflow(a.offset_, b.offset_, &result.offset_)) {
    return Overflow();
  }
  return result;
}

absl::StatusOr<Dim> Dim::Product(const Dim& a, const Dim& b) {
  if (a.is_constant()) return b.Times(a.value());
  if (b.is_constant()) return a.Times(b.value());
  return absl::UnimplementedError("the product of two open dimensions");
}

Dims ToDims(const Shape& shape) {
  Dims dims;
  dims.reserve(shape.size());
  for (const Dim& dim : shape) {
    assert(dim.is_constant());
    dims.push_back(dim.value());
  }
  return dims;
}

Shape ToShape(std::span<const std::int64_t> dims) { return Shape(dims.begin(), dims.end()); }

std::string ToString(const Shape& shape, std::span<const std::string> symbol_names) {
  std::string text = "[";
  for (const Dim& dim : shape) {
    if (text.size() > 1) absl::StrAppend(&text, ", ");
    if (dim.is_constant()) {
      absl::StrAppend(&text, dim.value());
      continue;
    }
    const auto index = static_cast<std::size_t>(dim.symbol().index);
    std::string term = index < symbol_names.size() ? symbol_names[index] : absl::StrCat("s", index);
    if (dim.scale() != 1) term = absl::StrCat(dim.scale(), "*", term);
    if (dim.offset() > 0) absl::StrAppend(&term, "+", dim.offset());
    if (dim.offset() < 0) absl::StrAppend(&term, dim.offset());
    if (dim.divisor() != 1) term = absl::StrCat("(", term, ")/", dim.divisor());
    absl::StrAppend(&text, term);
  }
  return absl::StrCat(text, "]");
}

std::string ToString(std::span<const std::int64_t> dims) {
  return absl::StrCat("[", absl::StrJoin(dims, ", "), "]");
}

std::int64_t NumElements(std::span<const std::int64_t> dims) {
  std::int64_t product = 1;
  for (const std::int64_t dim : dims) product *= dim;
  return product;
}

absl::StatusOr<std::int64_t> CheckedNumElements(std::span<const std::int64_t> dims) {
  std::int64_t product = 1;
  bool is_empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ToString(dims), " has a negative dimension"));
    }
    if (dim == 0) {
      is_empty = true;
      continue;  // a zero must not hide an overflow of the others
    }
    if (__builtin_mul_overflow(product, dim, &product) || product > kMaxElements) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ToString(dims), " has more than 2^48 elements"));
    }
  }
  return is_empty ? 0 : product;
}

}  // namespace octet
