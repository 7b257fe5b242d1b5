// SPDX-License-Identifier: Apache-2.0
// Functions of keras.ops that move and select elements.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/operation.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

// Puts a dimension of 1 at `axis`, counted in the result.
absl::StatusOr<ValueId> InsertDimension(const LayerCall& call, ValueId value, std::int64_t axis) {
  GraphBuilder& graph = call.graph();
  const std::int64_t rank = graph.Rank(value);
  if (axis < 0) axis += rank + 1;
  if (axis < 1 || axis > rank) return call.Unimplemented("axis: wants one after the batch");
  // Last first, so that an open length stays where it is for the reshape.
  std::vector<std::int64_t> shape(static_cast<std::size_t>(rank), 0);
  shape.push_back(1);
  ASSIGN_OR_RETURN(value, graph.Reshape(call.Name("with_axis"), value, shape));
  std::vector<std::int64_t> permutation;
  for (std::int64_t i = 0; i <= rank; ++i) {
    permutation.push_back(i < axis ? i : i == axis ? rank : i - 1);
  }
  return graph.Transpose(call.Name(), value, permutation);
}

absl::StatusOr<std::vector<Operand>> TranslateExpandDims(LayerCall& call) {
  ASSIGN_OR_RETURN(ValueId value, OneTensor(call));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> axes, call.config().Ints("axis"));
  if (axes.size() != 1) return call.config().Unimplemented("axis", "one axis");
  ASSIGN_OR_RETURN(value, InsertDimension(call, value, axes[0]));
  return Single(value);
}

absl::StatusOr<std::vector<Operand>> TranslateStack(LayerCall& call) {
  ASSIGN_OR_RETURN(const std::int64_t axis, call.config().Int("axis", 0));
  std::vector<ValueId> values;
  for (const Operand& input : call.inputs()) {
    ASSIGN_OR_RETURN(const ValueId value, call.ToFloat(input.value));
    ASSIGN_OR_RETURN(values.emplace_back(), InsertDimension(call, value, axis));
  }
  if (values.empty()) return call.Invalid("wants tensors");
  const std::int64_t at = axis < 0 ? axis + call.graph().Rank(values[0]) : axis;
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit("Concat", call.Name(), values, {{"axis", at}}));
  return Single(output);
}

// Drops `axes`, each of length 1.
absl::StatusOr<ValueId> DropDimensions(const LayerCall& call, ValueId value,
                                       const std::vector<std::int64_t>& axes) {
  GraphBuilder& graph = call.graph();
  const std::int64_t rank = graph.Rank(value);
  const auto dropped = [&axes](std::int64_t axis) {
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
  };
  // Dropped axes go last first: what stays keeps its place for the reshape.
  std::vector<std::int64_t> permutation;
  for (std::int64_t i = 0; i < rank; ++i) {
    if (!dropped(i)) permutation.push_back(i);
  }
  const std::size_t kept = permutation.size();
  for (const std::int64_t axis : axes) {
    ASSIGN_OR_RETURN(const std::int64_t length, call.Length(value, axis));
    if (length != 1) return call.Invalid(absl::StrCat("axis ", axis, " has length ", length));
    permutation.push_back(axis);
  }
  ASSIGN_OR_RETURN(value, graph.Transpose(call.Name("squeeze_order"), value, permutation));
  return graph.Reshape(call.Name(), value, std::vector<std::int64_t>(kept, 0));
}

absl::StatusOr<std::vector<Operand>> TranslateSqueeze(LayerCall& call) {
  ASSIGN_OR_RETURN(ValueId value, OneTensor(call));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> axes,
                   OperationAxes(call, call.graph().Rank(value)));
  ASSIGN_OR_RETURN(value, DropDimensions(call, value, axes));
  return Single(value);
}

absl::StatusOr<std::vector<Operand>> TranslateReshape(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OneTensor(call));
  ASSIGN_OR_RETURN(std::vector<std::int64_t> shape, call.config().Ints("newshape"));
  const auto unknown = std::count(shape.begin(), shape.end(), -1);
  if (shape.empty() || shape[0] != -1 || unknown > 2) {
    return call.Unimplemented("newshape: wants -1 for the batch, and then lengths");
  }
  shape[0] = 0;
  if (unknown == 1) {
    // The batch is what Keras would work out; it is the batch only if the rest is as large as a
    // row.
    std::int64_t wanted = 1;
    std::int64_t row = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) wanted *= std::max<std::int64_t>(shape[i], 1);
    for (std::int64_t i = 1; i < call.graph().Rank(input); ++i) {
      ASSIGN_OR_RETURN(const std::int64_t length, call.Length(input, i));
      row *= length;
    }
    if (row != wanted) {
      return call.Unimplemented(
          absl::StrCat("newshape: wants ", row, " elements a row, got ", wanted));
    }
  }
  ASSIGN_OR_RETURN(const ValueId output, call.graph().Reshape(call.Name(), input, shape));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateTranspose(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OneTensor(call));
  const std::int64_t rank = call.graph().Rank(input);
  std::vector<std::int64_t> permutation;
  if (call.layer().class_name == "Swapaxes") {
    ASSIGN_OR_RETURN(std::int64_t a, call.config().Int("axis1"));
    ASSIGN_OR_RETURN(std::int64_t b, call.config().Int("axis2"));
    a += a < 0 ? rank : 0;
    b += b < 0 ? rank : 0;
    if (a < 1 || b < 1 || a >= rank || b >= rank) {
      return call.Unimplemented("axis1, axis2: want axes other than the batch");
    }
    for (std::int64_t i = 0; i < rank; ++i) permutation.push_back(i == a ? b : i == b ? a : i);
  } else {
    ASSIGN_OR_RETURN(permutation, call.config().Ints("axes"));
    for (std::int64_t& axis : permutation) axis += axis < 0 ? rank : 0;
  }
  if (permutation.empty() || permutation[0] != 0) {
    return call.Unimplemented("axes: wants the batch to stay first");
  }
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Transpose(call.Name(), input, std::move(permutation)));
  return Single(output);
}

// x[...]: slices, indices, None and Ellipsis.
class Indexing {
 public:
  explicit Indexing(const LayerCall& call) : call_(call) {}

  absl::StatusOr<ValueId> Apply(ValueId value, const Json& key) {
    const Json items = key.is_array() ? key : Json::array({key});
    const std::int64_t rank = call_.graph().Rank(value);
    std::int64_t named = 0;
    for (const Json& item : items) named += IsEllipsis(item) || item.is_null() ? 0 : 1;
    std::int64_t axis = 0;
    for (const Json& item : items) {
      if (IsEllipsis(item)) {
        axis += rank - named;
      } else {
        RETURN_IF_ERROR(AddItem(item, axis, rank));
        ++axis;
      }
    }
    GraphBuilder& graph = call_.graph();
    if (!axes_.empty()) {
      ASSIGN_OR_RETURN(
          value,
          graph.Emit("Slice", call_.Name("slice"), {value},
                     {{"axes", axes_}, {"starts", starts_}, {"ends", ends_}, {"steps", steps_}}));
    }
    if (dropped_.empty()) return value;
    return DropDimensions(call_, value, dropped_);
  }

 private:
  static constexpr std::int64_t kFar = std::int64_t{1} << 50;

  static bool IsEllipsis(const Json& item) {
    return item.is_object() && item.contains("class_name") && item["class_name"] == "__ellipsis__";
  }

  absl::Status AddItem(const Json& item, std::int64_t axis, std::int64_t rank) {
    if (axis >= rank) return call_.Invalid("more indices than dimensions");
    if (item.is_number_integer()) {
      const auto index = item.get<std::int64_t>();
      if (axis == 0) return call_.Unimplemented("an index of the batch");
      dropped_.push_back(axis);
      return AddSlice(axis, index, index == -1 ? kFar : index + 1, 1);
    }
    if (!item.is_object() || !item.contains("class_name") || item["class_name"] != "__slice__") {
      return call_.Unimplemented("an index that is no number, slice or ellipsis");
    }
    const ConfigView slice = ConfigView(item, call_.config().where()).Object("config");
    ASSIGN_OR_RETURN(const std::int64_t step, slice.Int("step", 1));
    ASSIGN_OR_RETURN(const std::int64_t start, slice.Int("start", step > 0 ? 0 : kFar));
    ASSIGN_OR_RETURN(const std::int64_t stop, slice.Int("stop", step > 0 ? kFar : -kFar));
    if (start == 0 && stop == kFar && step == 1) return absl::OkStatus();
    if (axis == 0) return call_.Unimplemented("a slice of the batch");
    return AddSlice(axis, start, stop, step);
  }

  absl::Status AddSlice(std::int64_t axis, std::int64_t start, std::int64_t end,
                        std::int64_t step) {
    axes_.push_back(axis);
    starts_.push_back(start);
    ends_.push_back(end);
    steps_.push_back(step);
    return absl::OkStatus();
  }

  const LayerCall& call_;
  std::vector<std::int64_t> axes_;
  std::vector<std::int64_t> starts_;
  std::vector<std::int64_t> ends_;
  std::vector<std::int64_t> steps_;
  std::vector<std::int64_t> dropped_;
};

absl::StatusOr<std::vector<Operand>> TranslateGetItem(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OneTensor(call));
  const Argument* const key = call.Find(1, "key");
  if (key == nullptr) return call.Unimplemented("wants an index");
  ASSIGN_OR_RETURN(const ValueId output, Indexing(call).Apply(input, key->literal));
  return Single(output);
}

}  // namespace

void AddShapeOperations(LayerRegistry& registry) {
  registry.Add({"ops.ExpandDims", TranslateExpandDims});
  registry.Add({"ops.GetItem", TranslateGetItem});
  registry.Add({"ops.Reshape", TranslateReshape});
  registry.Add({"ops.Squeeze", TranslateSqueeze});
  registry.Add({"ops.Stack", TranslateStack});
  registry.Add({"ops.Swapaxes", TranslateTranspose});
  registry.Add({"ops.Transpose", TranslateTranspose});
}

}  // namespace octet::keras
