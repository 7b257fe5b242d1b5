// SPDX-License-Identifier: Apache-2.0
// One worker's state for running an Executable.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "models/runtime/executable.h"
#include "models/tensor/tensor.h"

namespace octet {

// Rows of a batch that follow each other.
struct RowRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
  friend bool operator==(const RowRange&, const RowRange&) = default;
};

// A worker's memory for intermediate tensors, 64-byte aligned, shared by all Sessions of that
// worker (it runs one batch at a time) and as large as the largest plan among them.
// Thread safety: one thread at a time.
class Arena {
 public:
  // Makes room for `byte_size`; never shrinks; what it held is lost. Called when a Session is
  // prepared, or when a batch with a larger symbol (a longer sequence) than any before comes; never
  // for more rows.
  void Reserve(std::size_t byte_size);
  [[nodiscard]] std::span<std::byte> bytes() { return {buffer_.get(), byte_size_}; }

 private:
  struct Free {
    void operator()(std::byte* buffer) const;
  };
  std::unique_ptr<std::byte[], Free> buffer_;
  std::size_t byte_size_ = 0;
};

// Thread safety: one thread at a time; it and its arena belong to one worker.
class Session {
 public:
  // Prepares every buffer that a run needs. `arena` is borrowed for as long as the Session lives.
  static absl::StatusOr<std::unique_ptr<Session>> Create(
      std::shared_ptr<const Executable> executable, Arena& arena);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The dimensions of each output for inputs of these dimensions, into `dims` (one per output;
  // their capacity is reused). Returns INVALID_ARGUMENT naming the input, its shape and the wanted
  // one if the inputs do not fit the signature or disagree about a symbol.
  absl::Status OutputDims(std::span<const TensorView> inputs, std::vector<Dims>& dims);

  // Runs all rows: any number, at least 1; more than Executable::max_rows(), or than the largest
  // arena allowed has room for, are split. Inputs and
  // outputs are in the signature's order, outputs have the sizes that OutputDims gives, and no two
  // overlap. Inputs may be unaligned. Allocates nothing, but where a symbol other than rows is
  // larger than ever before. Returns INVALID_ARGUMENT as OutputDims does, RESOURCE_EXHAUSTED where
  // such a symbol would need a larger arena than CompileOptions allows even for one row.
  absl::Status Run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs);

  // As Run, but only `rows` of the batch: inputs and outputs hold all of it, and other Sessions may
  // run other rows of the same tensors meanwhile. `stops` is asked before each step; once it says
  // so, returns CANCELLED and reads and writes no more: anything may stand in those rows.
  // Preconditions: rows come first in every input and output; `rows` lies within them.
  absl::Status RunRows(std::span<const TensorView> inputs,
                       std::span<const MutableTensorView> outputs, RowRange rows,
                       absl::FunctionRef<bool()> stops);

  [[nodiscard]] const Executable& executable() const { return *executable_; }

  // Nanoseconds that the last run spent in steps that quantize float input rows on their own
  // (Quantize nodes); the rest is compute.
  [[nodiscard]] std::int64_t last_quantize_nanoseconds() const { return quantize_nanoseconds_; }

 private:
  // One step's views, filled in for each batch.
  struct BoundStep {
    std::vector<TensorView> inputs;
    std::vector<MutableTensorView> outputs;
    std::vector<std::int64_t> input_pitches;
    std::vector<std::int64_t> output_pitches;
  };

  // A RowChain, for the symbols that are planned.
  struct BoundChain {
    std::vector<Dims> dims;                   // of a block of each of the chain's values
    std::vector<std::size_t> row_byte_sizes;  // of each of them
    std::int64_t num_rows = 0;
    std::int64_t block_rows = 1;
  };

  Session(std::shared_ptr<const Executable> executable, Arena& arena);

  // Views of the values of step `index`; those of a chain's activations have a block's dimensions.
  void BindDims(std::size_t index, const RowChain* chain, const BoundChain* bound_chain);
  // The chains' members, and what their values take of the arena.
  void PlanChains();
  static void SetBlockRows(const RowChain& chain, std::int64_t count, BoundChain& bound);
  // Checks the steps' inputs and adds up what scratch they need.
  absl::Status PlanSteps();
  absl::Status PlanStep(std::size_t index);

  // Dimensions, sizes and places of every value for symbols_.
  absl::Status Plan();
  absl::Status CheckArena(std::size_t byte_size) const;
  // Room in the arena for as many rows as a run of the steps may have, if the other symbols are not
  // those of the last call.
  absl::Status ReserveArena();
  // Binds the symbols and reserves the arena for a run.
  absl::Status PrepareRun(std::span<const TensorView> inputs,
                          std::span<const MutableTensorView> outputs);
  // Runs `rows` of the caller's tensors, whose symbols are bound.
  absl::Status RunBound(std::span<const TensorView> inputs,
                        std::span<const MutableTensorView> outputs, RowRange rows,
                        absl::FunctionRef<bool()> stops);
  // Runs the steps for the rows of symbols_, whose first is `first_row` of the caller's tensors.
  // Returns whether it came to their end.
  bool RunChunk(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                std::int64_t first_row, absl::FunctionRef<bool()> stops);
  void PlaceValues(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                   std::int64_t first_row);
  // Moves those that lie inside others there.
  void PlaceSubviews();
  // Of a value whose rows lie apart; of another 0.
  [[nodiscard]] std::int64_t PitchOf(std::int32_t id) const;
  // Gives step `index` its values' places.
  void BindStep(std::size_t index);
  [[nodiscard]] std::int64_t rows() const {
    return symbols_[static_cast<std::size_t>(kRows.index)];
  }
  // Runs one step on the values' data_.
  void RunStep(std::size_t index, std::span<std::byte> scratch);
  // Runs the chain's steps block by block. Returns whether it came to their end.
  bool RunChain(const RowChain& chain, BoundChain& bound, std::span<std::byte> scratch,
                absl::FunctionRef<bool()> stops);
  const void* PlaceInput(const TensorView& input, std::size_t index, std::int64_t first_row);

  const std::shared_ptr<const Executable> executable_;
  Arena& arena_;

  std::vector<std::int64_t> symbols_;           // of the batch
  std::vector<std::int64_t> reserved_symbols_;  // whose arena was reserved last
  std::int64_t chunk_rows_ = 1;                 // the most rows of one run of the steps with them
  std::vector<std::int64_t> planned_symbols_;   // what the members below were computed for
  std::vector<Dims> dims_;                      // of each value
  std::vector<std::size_t> arena_byte_sizes_;   // of each arena value
  std::vector<std::size_t> slot_offsets_;
  std::vector<std::size_t> staging_offsets_;  // of each input, for a copy of unaligned bytes
  std::size_t scratch_offset_ = 0;
  std::size_t scratch_byte_size_ = 0;
  std::size_t arena_byte_size_ = 0;
  std::vector<void*> data_;                    // of each value, for the chunk that runs
  std::vector<std::int64_t> subview_pitches_;  // of each subview, for it
  std::vector<BoundStep> steps_;
  std::vector<BoundChain> chains_;
  std::int64_t quantize_nanoseconds_ = 0;
};

}  // namespace octet
