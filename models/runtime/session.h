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

#include "models/runtime/batch_plan.h"
#include "models/runtime/executable.h"
#include "models/runtime/ragged_batch.h"
#include "models/runtime/ragged_run.h"
#include "models/tensor/tensor.h"

namespace octet {

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

  // As RunRows, of a ragged batch: `inputs` and `outputs` are packed tensors of all of it,
  // aligned to their elements, whose dimensions are not looked at. The steps run over sequences of
  // all lengths at once where they can, over as many as the largest arena allowed has room for.
  // What a sequence gets does not depend on which others there are, as that of a row does not on
  // other rows. Allocates nothing, but where the arena grows, or where no such batch came before.
  // Returns the errors of Run for any of its rows: who wants to know for which asks each alone.
  // Preconditions: executable().may_be_ragged(); its symbols are such for which OutputDims is OK.
  absl::Status RunRagged(const RaggedBatch& batch, std::span<const TensorView> inputs,
                         std::span<const MutableTensorView> outputs, RowRange rows,
                         absl::FunctionRef<bool()> stops);

  [[nodiscard]] const Executable& executable() const { return *executable_; }

  // Nanoseconds that the last run spent in steps that quantize float input rows on their own
  // (Quantize nodes); the rest is compute.
  [[nodiscard]] std::int64_t last_quantize_nanoseconds() const { return quantize_nanoseconds_; }

 private:
  Session(std::shared_ptr<const Executable> executable, Arena& arena);

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
  // Runs the steps for the plan's rows, whose first is `first_row` of the caller's tensors. Returns
  // whether it came to their end.
  bool RunChunk(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                std::int64_t first_row, absl::FunctionRef<bool()> stops);
  // Finds the data of every value.
  void PlaceValues(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                   std::int64_t first_row);
  std::byte* PlaceInput(const TensorView& input, std::size_t index, std::int64_t first_row);
  // Runs one step on the values' data_.
  void RunStep(std::size_t index, const StepViews& views);
  // Runs the chain's steps block by block. Returns whether it came to their end.
  bool RunChain(std::size_t index, absl::FunctionRef<bool()> stops);

  // Makes ragged_batch_ the first of `rows`, as many as one run can have, and plans it unless it is
  // one stretch.
  absl::Status PlanRagged(const RaggedBatch& batch, RowRange rows);
  // Runs ragged_batch_, whose first row is `first_row` of the caller's.
  absl::Status RunRaggedBatch(const RaggedBatch& batch, std::span<const TensorView> inputs,
                              std::span<const MutableTensorView> outputs, std::int64_t first_row,
                              absl::FunctionRef<bool()> stops);
  // Runs ragged_batch_, which are one, as a batch of its own.
  absl::Status RunOneStretch(absl::FunctionRef<bool()> stops);

  const std::shared_ptr<const Executable> executable_;
  Arena& arena_;

  std::vector<std::int64_t> symbols_;           // of the batch
  std::vector<std::int64_t> reserved_symbols_;  // whose arena was reserved last
  std::int64_t chunk_rows_ = 1;                 // the most rows of one run of the steps with them
  BatchPlan plan_;                              // of the chunk that runs
  // Of that chunk:
  std::vector<std::byte*> input_data_;
  std::vector<std::byte*> output_data_;
  std::vector<std::byte*> data_;  // of each value
  StepViews views_;               // the running step's, with room for those of any
  // Of a ragged batch:
  std::unique_ptr<RaggedRun> ragged_;  // null until the first
  RaggedBatch ragged_batch_;           // of the run
  StepViews ragged_views_;             // of the caller's tensors, from its first row on
  std::vector<const std::byte*> ragged_inputs_;
  std::int64_t quantize_nanoseconds_ = 0;
};

}  // namespace octet
