// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/operand.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

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
  if (const Sizes* const numbers = sizes()) return ToShape(numbers->dims);
  if (const Filled* const one = filled()) return one->shape;
  return activation()->shape;
}

DataType Operand::type() const {
  if (const ConstantTensor* const tensor = constant()) return tensor->data_type();
  if (sizes() != nullptr) return DataType::kInt64;
  if (const Filled* const one = filled()) return one->value.data_type();
  return activation()->type;
}

Operand FromSizes(Sizes sizes) {
  const bool is_known = std::all_of(sizes.elements.begin(), sizes.elements.end(),
                                    [](const Dim& dim) { return dim.is_constant(); });
  if (!is_known) return {"", std::move(sizes)};
  std::vector<std::int64_t> numbers;
  for (const Dim& dim : sizes.elements) numbers.push_back(dim.value());
  return {"", ConstantTensor::Copy(DataType::kInt64, sizes.dims, numbers)};
}

}  // namespace octet::onnx
