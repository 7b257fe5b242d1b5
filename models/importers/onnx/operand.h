// SPDX-License-Identifier: Apache-2.0
// What stands for a tensor of an ONNX graph while it is translated.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/importers/quantized_constant.h"
#include "models/tensor/shape.h"
#include "models/tensor/tensor.h"

namespace octet::onnx {

// Which axis of the ONNX tensor each axis of a value is: {0, 2, 3, 1} for channels last.
using Order = std::vector<std::size_t>;

// 0, 1, ...
Order PlainOrder(std::size_t rank);
// Channels last, {0, 2, ..., rank - 1, 1}. Precondition: rank >= 2.
Order ChannelsLastOrder(std::size_t rank);

// A tensor that depends on the inputs. It may exist in several orders of its axes, so that an image
// that was computed with its channels last is only transposed for whom that matters, and a
// transpose that another one undoes is none.
struct Activation {
  DataType type = DataType::kFloat32;
  Shape shape;                     // in ONNX's order
  std::map<Order, ValueId> forms;  // at least one
  // Of an int8 or uint8 tensor: the same elements as int8 with a quantization, uint8 ones with 128
  // less, where something made or took them so.
  std::shared_ptr<Activation> integers;
};

// A tensor that only depends on shapes: whole numbers, some known only when a batch runs.
struct Sizes {
  Dims dims;
  std::vector<Dim> elements;
  // The factors, by their places, of elements that are products of several open dimensions. What
  // stands in `elements` there says nothing.
  std::map<std::size_t, Shape> products = {};
};

// A constant that is stretched to an open shape, as NumPy stretches it: most have one element.
struct Filled {
  ConstantTensor value;
  Shape shape;
};

// Whole numbers that follow from where they are, over axes some of which are open: the element at
// i is first + the sum of steps[a] * i[a].
struct Places {
  DataType type = DataType::kInt64;
  Shape shape;
  std::vector<Dim> steps;  // of each axis; 0 where it says nothing
  std::int64_t first = 0;
};

// Several of one shape, one behind the other along a last axis: what GatherND is given.
struct Coordinates {
  std::vector<Places> columns;
};

// As many rows of a constant as an open axis is long. All axes in front of that one are 1.
struct Cut {
  std::string node;      // what the value is called after
  std::string source;    // the constant's name
  ConstantTensor table;  // [n, ...]: the axis is the first
  Shape shape;
  std::size_t axis = 0;
};

// An activation seen with other axes: axis i is the axes groups[i] of it, one within the other, or
// 1 where there are none. Each axis of it is in one group.
struct View {
  std::shared_ptr<Activation> source;
  std::vector<std::vector<std::size_t>> groups;
};

// An activation that is stretched to an open shape once somebody needs that.
struct Stretched {
  std::shared_ptr<Activation> content;  // of as many axes
  Shape shape;
};

// A tensor that says nothing of the batch, as a value of the graph that has that as one more axis,
// in front, and all else stretched to it.
struct PerRow {
  std::shared_ptr<Activation> content;
  Shape shape;  // in ONNX, without the batch
};

// A tensor that nobody may take but those who ask for its shape: what there is no way to compute.
struct ShapeOnly {
  DataType type = DataType::kInt64;
  Shape shape;
};

// One of these, or nothing: an optional input that is absent.
struct Operand {
  std::string name;  // in the ONNX graph
  std::variant<std::monostate, ConstantTensor, Sizes, Filled, std::shared_ptr<Activation>, Places,
               Coordinates, Cut, View, Stretched, PerRow, ShapeOnly, QuantizedConstant>
      content;

  [[nodiscard]] bool is_absent() const { return content.index() == 0; }
  [[nodiscard]] const ConstantTensor* constant() const {
    return std::get_if<ConstantTensor>(&content);
  }
  [[nodiscard]] const QuantizedConstant* quantized() const {
    return std::get_if<QuantizedConstant>(&content);
  }
  [[nodiscard]] const Sizes* sizes() const { return std::get_if<Sizes>(&content); }
  [[nodiscard]] const Filled* filled() const { return std::get_if<Filled>(&content); }
  [[nodiscard]] const Places* places() const { return std::get_if<Places>(&content); }
  [[nodiscard]] const Cut* cut() const { return std::get_if<Cut>(&content); }
  [[nodiscard]] const View* view() const { return std::get_if<View>(&content); }
  [[nodiscard]] const PerRow* per_row() const { return std::get_if<PerRow>(&content); }
  [[nodiscard]] const Stretched* stretched() const { return std::get_if<Stretched>(&content); }
  [[nodiscard]] Activation* activation() const {
    const auto* const pointer = std::get_if<std::shared_ptr<Activation>>(&content);
    return pointer == nullptr ? nullptr : pointer->get();
  }

  // Precondition: not absent. An axis of a view whose size cannot be written is 0.
  [[nodiscard]] Shape shape() const;
  [[nodiscard]] DataType type() const;
  [[nodiscard]] std::size_t rank() const { return shape().size(); }
};

// A node's outputs, or nothing where it is to be translated instead.
using FoldedOutputs = std::optional<std::vector<Operand>>;

// The only output of a node.
inline std::vector<Operand> Single(Operand operand) {
  std::vector<Operand> outputs;
  outputs.push_back(std::move(operand));
  return outputs;
}
template <typename Content>
std::vector<Operand> Single(Content content) {
  return Single(Operand{"", std::move(content)});
}

// The size of all of these axes of `shape` together.
absl::StatusOr<Dim> ProductOf(const Shape& shape, const std::vector<std::size_t>& axes);

// The shape that both stretch to, as NumPy does it. INVALID_ARGUMENT where there is none.
absl::StatusOr<Shape> StretchedShape(const Shape& a, const Shape& b);

// `sizes` as an operand: a constant where each of them is known.
Operand FromSizes(Sizes sizes);

}  // namespace octet::onnx
