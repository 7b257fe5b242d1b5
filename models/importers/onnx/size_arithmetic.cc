// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/size_arithmetic.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"

namespace octet::onnx {

absl::Status NotOfOpen() {
  return absl::UnimplementedError("cannot be computed with open dimensions");
}

namespace {

// The larger or the smaller of two sizes.
absl::StatusOr<Dim> Extreme(bool is_larger, const Dim& left, const Dim& right) {
  if (left == right) return left;
  if (!left.is_constant() && !right.is_constant()) return NotOfOpen();
  const Dim& open = left.is_constant() ? right : left;
  const Dim& number = left.is_constant() ? left : right;
  if (open.is_constant()) return (left.value() > right.value()) == is_larger ? left : right;
  // A size is at least 1.
  const bool is_more = number.value() <= 1 && open.scale() > 0 && open.offset() >= 0 &&
                       open.scale() + open.offset() >= open.divisor();
  if (!is_more) return NotOfOpen();
  return is_larger ? open : number;
}

}  // namespace

absl::StatusOr<Dim> Combined(const std::string& op, const Dim& left, const Dim& right) {
  if (op == "Add") return Dim::Sum(left, right);
  if (op == "Mul") return Dim::Product(left, right);
  if (op == "Sub" && right.is_constant()) return left.Plus(-right.value());
  if (op == "Sub" && left == right) return Dim(0);
  if (op == "Div" && right.is_constant() && right.value() > 0) {
    return left.FloorDividedBy(right.value());
  }
  if (op == "Div" && left == right) return Dim(1);
  if (op == "Max" || op == "Min") return Extreme(op == "Max", left, right);
  return NotOfOpen();
}

std::optional<bool> AreEqual(const Dim& left, const Dim& right) {
  if (left == right) return true;
  if (left.is_constant() && right.is_constant()) return false;
  if (!left.is_constant() && !right.is_constant()) return std::nullopt;
  const std::int64_t number = left.is_constant() ? left.value() : right.value();
  const Dim& open = left.is_constant() ? right : left;
  if (number > 0) return std::nullopt;
  // A size is at least 1, and no open one is -1 or less but by its offset.
  const std::int64_t least = std::max<std::int64_t>(number, -1) + 1;
  const bool is_more = open.scale() > 0 && open.offset() >= least * open.divisor() - open.scale();
  return is_more ? std::optional(false) : std::nullopt;
}

Shape FactorsAt(const Sizes& sizes, std::size_t at) {
  const auto product = sizes.products.find(at);
  return product == sizes.products.end() ? Shape{sizes.elements[at]} : product->second;
}

}  // namespace octet::onnx
