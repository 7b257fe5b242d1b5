// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/reshape_sizes.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet::onnx {

namespace {

// A product of dimensions as a number and open dimensions, each without a factor of its own where
// it is that times a symbol.
struct Factors {
  std::int64_t number = 1;
  Shape open;
};

absl::StatusOr<Factors> FactorsOf(const NodeCall& call, const Shape& shape) {
  Factors factors;
  for (const Dim& dim : shape) {
    const bool is_multiple = !dim.is_constant() && dim.offset() == 0 && dim.divisor() == 1;
    const std::int64_t factor = dim.is_constant() ? dim.value() : is_multiple ? dim.scale() : 1;
    if (__builtin_mul_overflow(factors.number, factor, &factors.number)) {
      return call.Invalid("its shape is too large");
    }
    if (!dim.is_constant()) factors.open.push_back(is_multiple ? Dim(dim.symbol()) : dim);
  }
  return factors;
}

}  // namespace

absl::StatusOr<Dim> QuotientOf(const NodeCall& call, const Shape& from, const Shape& known) {
  ASSIGN_OR_RETURN(const Factors above, FactorsOf(call, from));
  ASSIGN_OR_RETURN(const Factors below, FactorsOf(call, known));
  Shape left = above.open;
  for (const Dim& dim : below.open) {
    const auto same = std::find(left.begin(), left.end(), dim);
    if (same == left.end()) {
      return call.Unimplemented("a shape with an open dimension that its input has not");
    }
    left.erase(same);
  }
  const std::int64_t divisor = below.number;
  if (divisor == 0) return call.Unimplemented("an empty tensor");
  left.push_back(Dim(above.number));
  Dim product(1);
  for (const Dim& dim : left) {
    const auto next = Dim::Product(product, dim);
    if (!next.ok()) return call.WithNode(next.status());
    product = *next;
  }
  const bool divides = product.is_constant()
                           ? product.value() % divisor == 0
                           : product.divisor() == 1 && product.scale() % divisor == 0 &&
                                 product.offset() % divisor == 0;
  if (!divides) return call.Invalid(absl::StrCat("its elements do not divide by ", divisor));
  const auto quotient = product.FloorDividedBy(divisor);
  if (!quotient.ok()) return call.WithNode(quotient.status());
  return *quotient;
}

absl::StatusOr<Shape> ResolvedShape(const NodeCall& call, const Shape& from,
                                    std::vector<Dim> wanted, bool zero_copies) {
  std::size_t guess = wanted.size();
  Shape known;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    Dim& dim = wanted[i];
    if (dim == Dim(-1)) {
      if (guess != wanted.size()) return call.Invalid("its shape has two dimensions of -1");
      guess = i;
      continue;
    }
    if (dim == Dim(0) && zero_copies) {
      if (i >= from.size()) return call.Invalid("a 0 in its shape copies no dimension");
      dim = from[i];
    }
    if (i == 0) dim = call.FirstSize(from, dim);
    if (dim.is_constant() && dim.value() < 1) {
      return call.Invalid(absl::StrCat("its shape holds ", dim.value()));
    }
    known.push_back(dim);
  }
  if (guess != wanted.size()) {
    ASSIGN_OR_RETURN(wanted[guess], QuotientOf(call, from, known));
  }
  return wanted;
}

}  // namespace octet::onnx
