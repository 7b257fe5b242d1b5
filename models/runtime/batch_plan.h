// SPDX-License-Identifier: Apache-2.0
// What a run of an Executable's steps needs to know of a batch size: the dimensions of every value,
// where it lies, how far its rows are apart, and how many rows a block of a chain has.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"

#include "models/runtime/executable.h"
#include "models/tensor/tensor.h"

namespace octet {

// RESOURCE_EXHAUSTED where a run that needs so much memory may not be.
absl::Status CheckArenaLimit(const CompileOptions& options, std::size_t byte_size);

// Where a value begins in a run.
struct Place {
  // What it is in: kConstant, kInput, kOutput or kArena, and kUnused for what no step touches.
  // Never kSubview: what lies inside another value is where that one is.
  Storage storage = Storage::kUnused;
  std::int32_t index = -1;      // of an input or output
  std::size_t byte_offset = 0;  // from the beginning of the input, the output or the arena
};

// What a step reads and writes, but for the data.
struct StepViews {
  std::vector<TensorView> inputs;  // by the node's input index; an empty one for an absent one
  std::vector<MutableTensorView> outputs;
};

struct PlannedStep {
  StepViews views;       // of a chain's step those of a block
  StepViews rest_views;  // of a chain's step those of a last block of fewer rows; else empty
  std::vector<std::int64_t> input_pitches;  // as StepArguments has them
  std::vector<std::int64_t> output_pitches;
};

// A RowChain's blocks.
struct PlannedChain {
  std::int64_t num_rows = 0;
  std::int64_t block_rows = 1;
  std::vector<std::size_t> row_byte_sizes;  // of each of the chain's values
};

// An input of the signature.
struct PlannedInput {
  std::size_t byte_size = 0;       // of all rows
  std::size_t staging_offset = 0;  // in the arena, for a copy of bytes that lie unaligned
};

// A plan for one set of symbols at a time: it changes in Make alone, and a run only reads it.
// Thread safety: as a value; one thread may Make it while no other reads.
class BatchPlan {
 public:
  // Makes room for the plan of any batch. `executable` is borrowed for as long as the plan lives.
  explicit BatchPlan(const Executable& executable);

  BatchPlan(const BatchPlan&) = delete;
  BatchPlan& operator=(const BatchPlan&) = delete;

  // Plans a run of the steps for these symbols, each at least 1, rows among them; does nothing if
  // it is the plan for them already. Allocates nothing but for an error, after which there is no
  // plan. Returns INVALID_ARGUMENT naming the tensor or the step where an input is too short,
  // RESOURCE_EXHAUSTED where a run would need more memory than CompileOptions allows.
  absl::Status Make(SymbolValues symbols);

  // Preconditions of all below: the last Make succeeded.
  [[nodiscard]] std::int64_t rows() const {
    return symbols_[static_cast<std::size_t>(kRows.index)];
  }
  // Of all that lies in the arena.
  [[nodiscard]] std::size_t arena_byte_size() const { return arena_byte_size_; }
  // What the steps may use besides, one after the other; in the arena too.
  [[nodiscard]] std::size_t scratch_offset() const { return scratch_offset_; }
  [[nodiscard]] std::size_t scratch_byte_size() const { return scratch_byte_size_; }
  // By value.
  [[nodiscard]] const std::vector<Place>& places() const { return places_; }
  // By step, and by chain of the CompiledGraph.
  [[nodiscard]] const std::vector<PlannedStep>& steps() const { return steps_; }
  [[nodiscard]] const std::vector<PlannedChain>& chains() const { return chains_; }
  // By the signature's index: inputs, and the size of one row of each output.
  [[nodiscard]] const std::vector<PlannedInput>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<std::size_t>& output_row_byte_sizes() const {
    return output_row_byte_sizes_;
  }

 private:
  // Of a block of each of a chain's values.
  struct BlockDims {
    std::vector<Dims> full;
    std::vector<Dims> rest;
  };

  // Views of what step `index` reads and writes, with the dimensions of a block where `chain` has
  // them in `block_dims`.
  [[nodiscard]] StepViews ViewsOf(std::size_t index, const RowChain* chain,
                                  const std::vector<Dims>* block_dims) const;

  absl::Status MakeForSymbols();
  absl::Status EvaluateDims();
  // What each value takes of the arena.
  void SizeArenaValues();
  // The chains' blocks, and what their values take instead.
  void PlanChains();
  absl::Status PlaceArena();
  // Checks the steps' inputs and finds what scratch they need.
  absl::Status PlanSteps();
  absl::Status PlanStep(std::size_t index, const StepViews& views);
  [[nodiscard]] absl::Status CheckArena(std::size_t byte_size) const;
  void PlaceValues();
  // Of those that lie inside others: where, and how far their rows are apart.
  void PlaceSubviews();
  // Of a value whose rows lie apart; of another 0.
  [[nodiscard]] std::int64_t PitchOf(std::int32_t id) const;
  [[nodiscard]] std::size_t ByteSizeOf(std::size_t value) const;

  const Executable& executable_;
  const CompiledGraph& graph_;

  std::vector<std::int64_t> symbols_;          // whose plan it is
  std::vector<Dims> dims_;                     // by value
  std::vector<BlockDims> block_dims_;          // by chain
  std::vector<std::size_t> arena_byte_sizes_;  // by arena value
  std::vector<std::size_t> slot_offsets_;
  std::vector<std::int64_t> subview_pitches_;  // by subview
  std::vector<Place> places_;
  std::vector<PlannedStep> steps_;
  std::vector<PlannedChain> chains_;
  std::vector<PlannedInput> inputs_;
  std::vector<std::size_t> output_row_byte_sizes_;
  std::size_t scratch_offset_ = 0;
  std::size_t scratch_byte_size_ = 0;
  std::size_t arena_byte_size_ = 0;
};

}  // namespace octet
