// SPDX-License-Identifier: Apache-2.0

#include "models/operators/broadcast.h"

#include <algorithm>

#include "models/base/status_macros.h"

namespace octet {

absl::StatusOr<Shape> BroadcastShapes(const Node& node, const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.size(), b.size());
  Shape result(rank, Dim(1));
  for (std::size_t back = 1; back <= rank; ++back) {
    const Dim da = back <= a.size() ? a[a.size() - back] : Dim(1);
    const Dim db = back <= b.size() ? b[b.size() - back] : Dim(1);
    if (da != db && da != Dim(1) && db != Dim(1)) {
      return InvalidNode(node, "shapes ", ToString(a, {}), " and ", ToString(b, {}),
                         " do not broadcast to one");
    }
    result[rank - back] = da == Dim(1) ? db : da;
  }
  for (const Shape* shape : {&a, &b}) {
    if (!shape->empty() && !(*shape)[0].is_constant() && (*shape)[0] != result[0]) {
      return InvalidNode(node, "broadcasting ", ToString(a, {}), " and ", ToString(b, {}),
                         " would move the batch away from dimension 0");
    }
    if (shape->size() < rank && !shape->empty() && !(*shape)[0].is_constant()) {
      return InvalidNode(node, "broadcasting ", ToString(a, {}), " and ", ToString(b, {}),
                         " would move the batch away from dimension 0");
    }
  }
  return result;
}

absl::Status CheckBroadcastsTo(const Node& node, absl::string_view name, const Shape& from,
                               const Shape& to) {
  bool fits = from.size() <= to.size();
  for (std::size_t back = 1; fits && back <= from.size(); ++back) {
    const Dim dim = from[from.size() - back];
    fits = dim == Dim(1) || dim == to[to.size() - back];
  }
  // An open first dimension is the batch and may not meet another one by chance.
  if (fits && from.size() < to.size() && !from.empty() && !from[0].is_constant()) fits = false;
  if (!fits) {
    return InvalidNode(node, "input \"", name, "\" has shape ", ToString(from, {}),
                       ", which does not broadcast to ", ToString(to, {}));
  }
  return absl::OkStatus();
}

bool BroadcastsByRow(std::span<const TensorType> inputs,
                     std::span<const ConstantTensor* const> constants) {
  std::size_t rank = 0;
  for (const TensorType& input : inputs) rank = std::max(rank, input.shape.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Shape& shape = inputs[i].shape;
    if (constants[i] == nullptr) {
      if (shape.size() != rank) return false;
    } else if (!shape.empty() && std::any_of(shape.begin(), shape.end() - 1,
                                             [](const Dim& dim) { return dim != Dim(1); })) {
      return false;
    }
  }
  return true;
}

}  // namespace octet
