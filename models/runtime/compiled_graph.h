// SPDX-License-Identifier: Apache-2.0
// What an Executable holds for its Sessions: steps, and where each value lies.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "models/graph/operator.h"
#include "models/runtime/kernel_choices.h"
#include "models/runtime/row_chains.h"
#include "models/tensor/tensor.h"

namespace octet {

// Where the bytes of a value are while a batch runs.
enum class Storage : std::uint8_t {
  kUnused,  // no step reads or writes it
  kConstant,
  kInput,   // the caller's input tensor
  kOutput,  // the caller's output tensor
  kArena,
  kSubview,  // inside another value, in every run
};

// In which runs of the steps a value lies inside another, or a step that only moves elements has
// nothing to do because of it.
enum class InPlace : std::uint8_t { kNone, kOneRow, kAlways };

inline bool IsInPlace(InPlace in_place, std::int64_t rows) {
  return in_place == InPlace::kAlways || (in_place == InPlace::kOneRow && rows == 1);
}

// A value whose bytes are some of another value's: a piece of a Concat, written where it belongs,
// or a Slice, read where it lies.
struct Subview {
  std::int32_t value = 0;
  std::int32_t whole = 0;       // by its shape `part` is meant
  std::int32_t whole_root = 0;  // whose very bytes `whole` shares, or `whole`
  AxisOffset part;
  InPlace in_place = InPlace::kNone;
  bool has_pitch = false;  // its rows lie as far apart as the whole's; else it is one run of bytes
};

struct CompiledValue {
  DataType data_type = DataType::kFloat32;
  Shape shape;
  Storage storage = Storage::kUnused;
  // Of an input or output its index in the signature, of an arena value or subview its index among
  // them.
  std::int32_t index = -1;
  // Of what is a subview in some runs or in all, its index in CompiledGraph::subviews.
  std::int32_t subview = -1;
  std::optional<ConstantTensor> constant;
};

// The way a step computes, where its operator asked which of several to take.
struct StepImplementation {
  std::string layer;                                    // kernels::LayerKey
  std::string name;                                     // what was taken
  std::vector<std::string> fitting;                     // all that fit, the fixed rule's first
  std::optional<KernelChoice> measured = std::nullopt;  // why; without it, by the fixed rule
};

struct CompiledStep {
  std::string node;
  std::string op;
  std::unique_ptr<const Step> step;
  std::vector<std::int32_t> inputs;  // values; -1 for an absent one
  std::vector<std::int32_t> outputs;
  std::optional<StepImplementation> implementation = std::nullopt;
  // The leading dimensions of what it reads and writes, where it is row-wise (Operator::IsRowWise).
  std::optional<Shape> row_shape = std::nullopt;
  // How many leading dimensions of what it reads and writes make positions, where it computes each
  // from that of its inputs alone whatever their number (Operator::IsRowWise, or a product
  // of each row), and a position is as large in every sequence; else 0.
  std::size_t position_dims = 0;
  // Holds weights that it reads once for all its positions.
  bool is_row_product = false;
  bool quantizes_input = false;  // turns float rows of the request into integers, nothing else
  InPlace in_place = InPlace::kNone;
};

// An output of the signature that no step writes itself: it shares its bytes with another value.
struct OutputCopy {
  std::int32_t value = 0;
  std::int32_t output = 0;
};

struct CompiledGraph {
  std::vector<CompiledValue> values;
  std::vector<CompiledStep> steps;
  std::vector<RowChain> chains;
  std::vector<OutputCopy> output_copies;
  std::vector<std::int32_t> arena_values;  // values, by CompiledValue::index
  std::vector<std::int32_t> slots;         // of each arena value
  std::vector<Subview> subviews;           // wholes before what lies in them
  std::int32_t num_slots = 0;
  std::vector<std::int32_t> inputs;   // values, by the signature's index
  std::vector<std::int32_t> outputs;  // values, by the signature's index

  // What `value` is in a run of so many rows, if it is a subview in it; else null.
  [[nodiscard]] const Subview* SubviewOf(const CompiledValue& value, std::int64_t rows) const;
};

// What the step says of inputs of these dimensions (Step::CheckInputs), with its node's name.
absl::Status CheckStepInputs(const CompiledStep& step, std::span<const TensorView> inputs);

// For people, what the value `index` is: `the output of Conv2d "stem"`.
std::string DescribeValue(const CompiledGraph& graph, std::size_t index);

}  // namespace octet
