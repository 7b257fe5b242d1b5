// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/counted_values.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet::onnx {

namespace {

// Values that are looked through for one with a given dimension.
constexpr std::size_t kMaxSearched = 4096;

// The first part of axis `axis` of `id`, as an axis of 1.
absl::StatusOr<ValueId> First(const NodeCall& call, ValueId id, std::size_t axis) {
  return call.Emit("Slice", {id},
                   {{"axes", std::vector<std::int64_t>{static_cast<std::int64_t>(axis)}},
                    {"starts", std::vector<std::int64_t>{0}},
                    {"ends", std::vector<std::int64_t>{1}}},
                   "first");
}

// [rows, n] that counts along `axis` of `id`, no further than `limit` where that is not 0.
absl::StatusOr<ValueId> CountedAlong(const NodeCall& call, ValueId id, std::size_t axis,
                                     std::int64_t limit) {
  Attributes attributes = {{"axis", static_cast<std::int64_t>(axis)}};
  if (limit != 0) attributes["limit"] = limit;
  ASSIGN_OR_RETURN(ValueId counted,
                   call.Emit("Positions", {id}, std::move(attributes), "positions"));
  for (std::size_t middle = 1; middle < axis; ++middle) {
    ASSIGN_OR_RETURN(counted, First(call, counted, middle));
  }
  if (axis == 1) return counted;
  return call.graph().Reshape(absl::StrCat(call.name(), "/counted"), counted, {0, -1});
}

}  // namespace

absl::StatusOr<ValueId> CountingValue(const NodeCall& call, const Dim& length) {
  Translation& translation = call.translation();
  const std::int64_t limit = translation.Longest(length);
  const auto key = std::pair(Translation::KeyOf(length), limit);
  const auto known = translation.counting.find(key);
  if (known != translation.counting.end()) return known->second;
  const Graph& graph = call.graph().graph();
  for (std::size_t id = 0; id < graph.values.size() && id < kMaxSearched; ++id) {
    const Shape& shape = graph.values[id].type.shape;
    if (graph.values[id].constant.has_value() || shape.empty()) continue;
    const auto found = std::find(shape.begin() + 1, shape.end(), length);
    if (found == shape.end()) continue;
    const auto axis = static_cast<std::size_t>(found - shape.begin());
    ASSIGN_OR_RETURN(const ValueId counted,
                     CountedAlong(call, static_cast<ValueId>(id), axis, limit));
    translation.counting.emplace(key, counted);
    return counted;
  }
  return call.Unimplemented("counts along a dimension that no tensor before it has");
}

absl::StatusOr<ValueId> ZeroOfEachRow(const NodeCall& call) {
  const Graph& graph = call.graph().graph();
  for (std::size_t id = 0; id < graph.values.size() && id < kMaxSearched; ++id) {
    const Shape& shape = graph.values[id].type.shape;
    const bool has_rows = shape.size() >= 2 && shape[0] == Dim(kRows);
    if (graph.values[id].constant.has_value() || !has_rows) continue;
    ASSIGN_OR_RETURN(const ValueId counted, CountedAlong(call, static_cast<ValueId>(id), 1, 0));
    return First(call, counted, 1);
  }
  return call.Unimplemented("a constant for each row, of which no tensor before it has any");
}

}  // namespace octet::onnx
