// SPDX-License-Identifier: Apache-2.0
// What stands for a tensor of an ONNX graph while it is translated.

#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "models/graph/graph.h"
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
};

// A tensor of an open shape with one value everywhere.
struct Filled {
  ConstantTensor value;  // of one element
  Shape shape;
};

// One of these, or nothing: an optional input that is absent.
struct Operand {
  std::string name;  // in the ONNX graph
  std::variant<std::monostate, ConstantTensor, Sizes, Filled, std::shared_ptr<Activation>> content;

  [[nodiscard]] bool is_absent() const { return content.index() == 0; }
  [[nodiscard]] const ConstantTensor* constant() const {
    return std::get_if<ConstantTensor>(&content);
  }
  [[nodiscard]] const Sizes* sizes() const { return std::get_if<Sizes>(&content); }
  [[nodiscard]] const Filled* filled() const { return std::get_if<Filled>(&content); }
  [[nodiscard]] Activation* activation() const {
    const auto* const pointer = std::get_if<std::shared_ptr<Activation>>(&content);
    return pointer == nullptr ? nullptr : pointer->get();
  }

  // Precondition: not absent.
  [[nodiscard]] Shape shape() const;
  [[nodiscard]] DataType type() const;
  [[nodiscard]] std::size_t rank() const { return shape().size(); }
};

// `sizes` as an operand: a constant where each of them is known.
Operand FromSizes(Sizes sizes);

}  // namespace octet::onnx
