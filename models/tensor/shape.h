// SPDX-License-Identifier: Apache-2.0
// Dimensions of tensors, some of them known only when a batch runs.
//
// A graph names its open dimensions: symbol 0 is always "rows", the batch; further ones (a sequence
// length, an image height) follow in the order in which the graph lists them. A dimension is a
// function of at most one symbol,
//
//   value = floor((scale * symbol + offset) / divisor)
//
// which is closed under what operators do to a single dimension (stride, crop, pad), and covers
// what they do to several (flatten, concatenate) while the divisor is 1.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace octet {

// Index of a named open dimension in its graph.
struct Symbol {
  std::int32_t index;
  friend bool operator==(Symbol, Symbol) = default;
};
inline constexpr Symbol kRows{0};

// The value of each symbol for one batch, by Symbol::index.
using SymbolValues = std::span<const std::int64_t>;

class Dim {
 public:
  // A known dimension; `value` >= 0. Implicit, so that shapes can be written as {8, 8, 1}.
  constexpr Dim(std::int64_t value) : scale_(0), offset_(value) {}  // NOLINT: implicit on purpose
  constexpr explicit Dim(Symbol symbol) : symbol_(symbol), scale_(1), offset_(0) {}

  [[nodiscard]] bool is_constant() const { return scale_ == 0; }
  // Precondition: is_constant().
  [[nodiscard]] std::int64_t value() const { return offset_; }
  // Precondition: !is_constant().
  [[nodiscard]] Symbol symbol() const { return symbol_; }
  [[nodiscard]] std::int64_t scale() const { return scale_; }
  [[nodiscard]] std::int64_t offset() const { return offset_; }
  [[nodiscard]] std::int64_t divisor() const { return divisor_; }

  // Precondition: `values` holds this dimension's symbol.
  [[nodiscard]] std::int64_t Evaluate(SymbolValues values) const;

  // The dimension as a function of the same symbol. Each returns UNIMPLEMENTED where the result
  // is not of the form above, and INVALID_ARGUMENT on overflow of int64.
  [[nodiscard]] absl::StatusOr<Dim> Plus(std::int64_t addend) const;
  [[nodiscard]] absl::StatusOr<Dim> Times(std::int64_t factor) const;
  [[nodiscard]] absl::StatusOr<Dim> FloorDividedBy(std::int64_t divisor) const;
  static absl::StatusOr<Dim> Sum(const Dim& a, const Dim& b);
  static absl::StatusOr<Dim> Product(const Dim& a, const Dim& b);

  friend bool operator==(const Dim&, const Dim&) = default;

 private:
  Symbol symbol_{0};
  std::int64_t scale_;  // 0: constant
  std::int64_t offset_;
  std::int64_t divisor_ = 1;
};

using Shape = std::vector<Dim>;
using Dims = std::vector<std::int64_t>;

// A shape without symbols. Precondition: every dimension is constant.
Dims ToDims(const Shape& shape);
Shape ToShape(std::span<const std::int64_t> dims);

// "[rows, 8, 8, 1]", with symbols named from `symbol_names` ("s<index>" beyond its end).
std::string ToString(const Shape& shape, std::span<const std::string> symbol_names);
std::string ToString(std::span<const std::int64_t> dims);

// Number of elements. Precondition for the first: no overflow, which CheckedNumElements tests.
std::int64_t NumElements(std::span<const std::int64_t> dims);
// Returns INVALID_ARGUMENT for a negative dimension, or a product beyond 2^48.
absl::StatusOr<std::int64_t> CheckedNumElements(std::span<const std::int64_t> dims);

}  // namespace octet
