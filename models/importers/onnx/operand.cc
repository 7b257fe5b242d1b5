// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/operand.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet::onnx {

Order PlainOrder(std::size_t rank) {
  Order order(rank);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

Order ChannelsLastOrder(std::size_t rank) {
  Order order = PlainOrder(rank);
  std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return order;
}

Shape Operand::shape() const {
  if (const ConstantTensor* const tensor = constant()) return ToShape(tensor->dims());
  if (const QuantizedConstant* const tensor = quantized()) return ToShape(tensor->data.dims());
  if (const Sizes* const numbers = sizes()) return ToShape(numbers->dims);
  if (const Filled* const one = filled()) return one->shape;
  if (const Places* const numbers = places()) return numbers->shape;
  if (const auto* const several = std::get_if<Coordinates>(&content)) {
    Shape shape = several->columns.front().shape;
    shape.push_back(Dim(static_cast<std::int64_t>(several->columns.size())));
    return shape;
  }
  if (const Cut* const rows = cut()) return rows->shape;
  if (const View* const seen = view()) {
    Shape shape;
    for (const std::vector<std::size_t>& axes : seen->groups) {
      shape.push_back(ProductOf(seen->source->shape, axes).value_or(Dim(0)));
    }
    return shape;
  }
  if (const Stretched* const larger = stretched()) return larger->shape;
  if (const PerRow* const repeated = per_row()) return repeated->shape;
  if (const auto* const only = std::get_if<ShapeOnly>(&content)) return only->shape;
  return activation()->shape;
}

DataType Operand::type() const {
  if (const ConstantTensor* const tensor = constant()) return tensor->data_type();
  if (quantized() != nullptr) return DataType::kFloat32;  // what it stands for
  if (sizes() != nullptr) return DataType::kInt64;
  if (const Filled* const one = filled()) return one->value.data_type();
  if (const Places* const numbers = places()) return numbers->type;
  if (const auto* const several = std::get_if<Coordinates>(&content)) {
    return several->columns.front().type;
  }
  if (const Cut* const rows = cut()) return rows->table.data_type();
  if (const View* const seen = view()) return seen->source->type;
  if (const Stretched* const larger = stretched()) return larger->content->type;
  if (const PerRow* const repeated = per_row()) return repeated->content->type;
  if (const auto* const only = std::get_if<ShapeOnly>(&content)) return only->type;
  return activation()->type;
}

absl::StatusOr<Dim> ProductOf(const Shape& shape, const std::vector<std::size_t>& axes) {
  Dim product(1);
  for (const std::size_t axis : axes) {
    ASSIGN_OR_RETURN(product, Dim::Product(product, shape[axis]));
  }
  return product;
}

absl::StatusOr<Shape> StretchedShape(const Shape& a, const Shape& b) {
  Shape shape(std::max(a.size(), b.size()), Dim(1));
  for (std::size_t back = 1; back <= shape.size(); ++back) {
    const Dim left = back <= a.size() ? a[a.size() - back] : Dim(1);
    const Dim right = back <= b.size() ? b[b.size() - back] : Dim(1);
    if (left != right && left != Dim(1) && right != Dim(1)) {
      return absl::InvalidArgumentError(absl::StrCat("shapes ", ToString(a, {}), " and ",
                                                     ToString(b, {}), " do not broadcast to one"));
    }
    shape[shape.size() - back] = left == Dim(1) ? right : left;
  }
  return shape;
}

Operand FromSizes(Sizes sizes) {
  const bool is_known =
      sizes.products.empty() && std::all_of(sizes.elements.begin(), sizes.elements.end(),
                                            [](const Dim& dim) { return dim.is_constant(); });
  if (!is_known) return {"", std::move(sizes)};
  std::vector<std::int64_t> numbers;
  for (const Dim& dim : sizes.elements) numbers.push_back(dim.value());
  return {"", ConstantTensor::Copy(DataType::kInt64, sizes.dims, numbers)};
}

}  // namespace octet::onnx
