// SPDX-License-Identifier: Apache-2.0
// What Lstm, Gru and SimpleRnn share: the walk over time, masks, and the projection of the inputs.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "kernels/kernel_set.h"
#include "models/graph/operator.h"

namespace octet {

// Where a recurrent operator's inputs are, and how many gates its kernels hold.
struct RecurrentInputs {
  static constexpr std::size_t kX = 0;          // [N, ..., T, i]: a sequence for each of N, ...
  static constexpr std::size_t kKernel = 1;     // [i, gates * u]
  static constexpr std::size_t kRecurrent = 2;  // [u, gates * u]
  static constexpr std::size_t kBias = 3;
  static constexpr std::size_t kMask = 4;  // [N, ..., T] bool: false leaves the state as it is
  // [N, ..., u], or a constant [1, ..., u] that every row begins with.
  static constexpr std::size_t kH0 = 5;
  static constexpr std::size_t kC0 = 6;  // where the cell has a second state
  // Of such a cell, checked by it: what its gates see of that state.
  static constexpr std::size_t kPeephole = 7;

  std::size_t gates;
  bool has_cell_state;
};

// The type rule without the bias: CheckRecurrentBias, or a rule of the cell's own, is for that.
absl::StatusOr<std::vector<TensorType>> InferRecurrentOutputs(
    const RecurrentInputs& layout, const Node& node, std::span<const TensorType> types,
    std::span<const ConstantTensor* const> constants);

// A bias, where there is one, must be float32 [gates * u]. Precondition: the type rule above holds.
absl::Status CheckRecurrentBias(const Node& node, std::span<const TensorType> types,
                                std::span<const ConstantTensor* const> constants);

// Of every row at every time: its inputs' projection and its state's.
ProductCount CountRecurrentProducts(std::span<const Dims> inputs);

// The elements of the bias; empty where there is none.
std::vector<float> RecurrentBias(const PrepareContext& context);

// The arithmetic of one step in time for `rows` rows. Immutable; any number of threads.
class RecurrentCell {
 public:
  struct Arguments {
    std::size_t rows;
    std::span<float> projected;  // [rows, gates * u]: x times the kernel; may be overwritten
    std::span<const float> h;    // [rows, u]
    std::span<const float> c;    // [rows, u], or empty
    std::span<float> next_h;     // overlaps nothing
    std::span<float> next_c;
    std::span<std::byte> scratch;  // at least ScratchByteSize(rows)
  };

  virtual ~RecurrentCell() = default;
  [[nodiscard]] virtual std::size_t ScratchByteSize(std::size_t rows) const = 0;
  [[nodiscard]] virtual std::size_t packed_byte_size() const = 0;
  virtual void Advance(const Arguments& arguments) const = 0;
};

// Packs [k, n] in `weight`; `bias` has n elements or none.
absl::StatusOr<std::unique_ptr<const kernels::MatmulF32>> PrepareRecurrentMatmul(
    const PrepareContext& context, std::size_t k, std::size_t n, std::span<const float> weight,
    std::span<const float> bias);

// Columns [first, first + count) of a [rows, n] matrix.
std::vector<float> Columns(std::span<const float> matrix, std::size_t n, std::size_t first,
                           std::size_t count);

// The step of the whole layer. `input_bias` (gates * u elements, or none) is added to the projected
// inputs.
absl::StatusOr<std::unique_ptr<const Step>> MakeRecurrentStep(
    const RecurrentInputs& layout, const PrepareContext& context, std::span<const float> input_bias,
    std::unique_ptr<const RecurrentCell> cell);

}  // namespace octet
