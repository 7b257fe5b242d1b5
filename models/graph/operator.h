// SPDX-License-Identifier: Apache-2.0
// What an operator must answer: the type of its outputs, and how one use of it is prepared from
// kernels.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/graph/graph.h"
#include "models/tensor/shape.h"
#include "models/tensor/tensor.h"

namespace octet {

namespace kernels {
struct KernelSet;
}  // namespace kernels

// How far apart the rows of a step's inputs, or outputs, lie, in elements from one to the next. A
// row is a tensor's last dimension, or as many of them as the step says.
struct RowPitches {
  std::span<const std::int64_t> values = {};  // 0, or none: one row lies right behind the other

  // Of input or output `index`, which has `dims`.
  [[nodiscard]] std::int64_t At(std::size_t index, std::span<const std::int64_t> dims,
                                std::size_t row_rank) const {
    const bool is_dense = index >= values.size() || values[index] == 0;
    return is_dense ? NumElements(dims.last(row_rank)) : values[index];
  }
};

// What a step gets for one batch. All views are concrete; outputs have the sizes that the
// operator's type rule gives for them.
struct StepArguments {
  std::span<const TensorView> inputs;  // by the node's input index; data is null for an absent one
  std::span<const MutableTensorView> outputs;
  std::span<std::byte> scratch;  // 64-byte aligned, at least ScratchByteSize() bytes
  // Only of what Step::InputRowRank and OutputRowRank allow.
  RowPitches input_pitches = {};
  RowPitches output_pitches = {};
};

// One node, prepared for one kernel set: packed weights and chosen kernels.
// Thread safety: immutable; any number of threads may run it at once, each with its own arguments.
class Step {
 public:
  virtual ~Step() = default;

  // Whether inputs of these dimensions can be run, asked before the other two: an open dimension
  // may turn out too small. INVALID_ARGUMENT with got and wanted, without the node; allocates
  // nothing otherwise.
  [[nodiscard]] virtual absl::Status CheckInputs(std::span<const TensorView> inputs) const {
    static_cast<void>(inputs);
    return absl::OkStatus();
  }

  // Bytes of scratch that Run needs for inputs of these dimensions (by input index).
  [[nodiscard]] virtual std::size_t ScratchByteSize(std::span<const TensorView> inputs) const {
    static_cast<void>(inputs);
    return 0;
  }

  // How many of the last dimensions of input, or output, `index` make a row, where rows may lie
  // apart as StepArguments says; 0: all of the tensor is dense. What lies between the rows of an
  // output belongs to others.
  [[nodiscard]] virtual std::size_t InputRowRank(std::size_t index) const {
    static_cast<void>(index);
    return 0;
  }
  [[nodiscard]] virtual std::size_t OutputRowRank(std::size_t index) const {
    static_cast<void>(index);
    return 0;
  }

  // Computes the outputs. Allocates nothing, takes no lock, cannot fail.
  virtual void Run(const StepArguments& arguments) const = 0;

  // Whether its results are equal to the bit on every kernel set, floats included: those of integer
  // products and their epilogue are, sums of floats are not.
  [[nodiscard]] virtual bool is_exact() const { return false; }

  // How far from the reference kernels' its results may be, as a share of the largest, where that
  // is more than a float32 computation deserves: the caller asked for less precision. Else 0.
  [[nodiscard]] virtual double reduced_tolerance() const { return 0; }

  // Which kernel runs, for people: "avx2:fully_connected_s8s8", "onednn:jit:avx2".
  [[nodiscard]] virtual std::string kernel_name() const = 0;

  // Whether Run reads the elements of input `index` where it is a constant; not, where Prepare made
  // of them all that it needs. The others may be freed.
  [[nodiscard]] virtual bool ReadsConstant(std::size_t index) const {
    static_cast<void>(index);
    return true;
  }

  // Bytes held for packed weights.
  [[nodiscard]] virtual std::size_t packed_byte_size() const { return 0; }
};

// Which of several ways to compute a layer is taken, all of which give the same bits. `layer` says
// what decides how fast each is (kernels::LayerKey), `names` those that fit, first what a fixed
// rule takes. Returns one of `names`, or "" if there is none. To be asked at most once by one
// Prepare.
using ChooseImplementation = absl::FunctionRef<std::string_view(
    std::string_view layer, std::span<const std::string_view> names)>;

// What Prepare is given.
struct PrepareContext {
  const Node& node;
  std::span<const TensorType> inputs;  // by input index; a default TensorType for an absent one
  std::span<const TensorType> outputs;
  // The constant behind each input, null for an activation or an absent one.
  std::span<const ConstantTensor* const> constants;
  const kernels::KernelSet& kernels;
  std::int64_t max_rows;  // the most rows a batch will have
  ChooseImplementation choose_implementation;
  // Whether attention may be of less precision than float32 where that is faster.
  bool allows_reduced_attention = false;
};

// What a node multiplies and sums up, for people.
struct ProductCount {
  double count = 0;          // multiply-accumulates
  bool are_integer = false;  // both factors are integers, and so are the sums
};

// Where a part of a tensor begins that is whole in every other axis.
struct AxisOffset {
  std::size_t axis = 0;
  Dim start = 0;
};

class Operator {
 public:
  virtual ~Operator() = default;

  [[nodiscard]] virtual absl::string_view name() const = 0;

  // The types of the node's outputs. The gate for hostile graphs: it checks the number of inputs,
  // their types and shapes and every attribute. `constants` is as in PrepareContext.
  // Returns INVALID_ARGUMENT naming the node, what it got and what it wants; UNIMPLEMENTED for a
  // combination that we do not have.
  [[nodiscard]] virtual absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> inputs,
      std::span<const ConstantTensor* const> constants) const = 0;

  // Packs weights and chooses kernels. Called at load, after InferOutputs succeeded.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const = 0;

  // Whether output 0 holds the very bytes of input 0 (Reshape), so that both may share memory and
  // the step be left out.
  [[nodiscard]] virtual bool IsReinterpretation() const { return false; }

  // Where in input 0, of the shape `input`, output 0 lies as it is (Slice), so that it may be read
  // there and the step be left out. Nothing for a node that does not only take a part along one
  // axis. Asked, as the next, after InferOutputs succeeded.
  [[nodiscard]] virtual std::optional<AxisOffset> PartOfInput(const Node& node,
                                                              const Shape& input) const {
    static_cast<void>(node);
    static_cast<void>(input);
    return std::nullopt;
  }

  // The axis along which output 0, of `rank` dimensions, is its inputs one behind the other
  // (Concat), so that they may be written there; the step leaves an input alone that lies there.
  [[nodiscard]] virtual std::optional<std::size_t> JoinedAxis(const Node& node,
                                                              std::size_t rank) const {
    static_cast<void>(node);
    static_cast<void>(rank);
    return std::nullopt;
  }

  // The node's sums of products over inputs and an output 0 of these dimensions (empty for an
  // absent input); none for what has no such sums, whatever else it computes. Asked after
  // InferOutputs succeeded.
  [[nodiscard]] virtual ProductCount CountProducts(const Node& node, std::span<const Dims> inputs,
                                                   const Dims& output) const {
    static_cast<void>(node);
    static_cast<void>(inputs);
    static_cast<void>(output);
    return {};
  }

  // Whether rows may be computed some at a time: a row is the last dimension, and each row of the
  // outputs comes from that row of the inputs that are no constants. Those inputs and the outputs
  // begin with the same dimensions then, all but the last of an output, and the step runs as well
  // when it is given [1, ..., 1, some rows] in their place. Only asked where the shapes are so.
  // Not to be said of what reads a large constant for all rows at once, as a matrix product does.
  [[nodiscard]] virtual bool IsRowWise(const Node& node, std::span<const TensorType> inputs,
                                       std::span<const ConstantTensor* const> constants) const {
    static_cast<void>(node);
    static_cast<void>(inputs);
    static_cast<void>(constants);
    return false;
  }
};

}  // namespace octet
