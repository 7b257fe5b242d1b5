// SPDX-License-Identifier: Apache-2.0
// What a run of an Executable's steps over a ragged batch needs to know: a BatchPlan's counterpart
// for sequences that differ in length.
//
// Every value lies packed (RaggedBatch). A step that computes position by position
// (CompiledStep::position_dims) runs once, for the positions of all stretches; every other one runs
// for one stretch after the other, on what it would see if the stretch were a batch of its own.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"

#include "models/runtime/batch_plan.h"
#include "models/runtime/executable.h"
#include "models/runtime/ragged_batch.h"
#include "models/tensor/tensor.h"

namespace octet {

// What a step sees of its values at once.
struct StepScope {
  std::size_t stretch = 0;  // 0 where it is all of them
  // 0: the whole stretch. Else [1, ..., 1, count] stand in place of so many dimensions, for `count`
  // of the rows that they make, from row `first` of the stretch, or of all stretches, on.
  std::size_t num_row_dims = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

// Memory for what any step sees. Its views are of dimensions in it or in the plan.
struct ScopeViews {
  explicit ScopeViews(const CompiledGraph& graph);

  StepViews views;  // with room for those of any step; the first are the step's
  std::vector<std::int64_t> input_pitches;
  std::vector<std::int64_t> output_pitches;
  std::vector<std::int64_t> dims;  // kMaxRank for each view, inputs first
};

// The rows of a chain, of all stretches together or of each.
struct RaggedChain {
  std::int64_t num_rows = 0;
  std::int64_t block_rows = 1;
};

// A plan for one ragged batch at a time: it changes in Make alone, and a run only reads it.
// Thread safety: as a value; one thread may Make it while no other reads.
class RaggedPlan {
 public:
  // Makes room for the plan of any batch of at most max_stretches() stretches. `executable` is
  // borrowed for as long as the plan lives. Precondition: no activation of it has elements that are
  // less than a byte.
  explicit RaggedPlan(const Executable& executable);

  RaggedPlan(const RaggedPlan&) = delete;
  RaggedPlan& operator=(const RaggedPlan&) = delete;

  // At least 2, unless a run of the steps has one row at most.
  [[nodiscard]] std::size_t max_stretches() const { return max_stretches_; }

  // Plans a run of the steps for this batch, which is not empty, with symbols from
  // BindSymbols; does nothing if it is the plan for them already. Allocates nothing but for an
  // error, after which there is no plan. Returns INVALID_ARGUMENT where an input of a stretch is
  // too short or too long for a step, RESOURCE_EXHAUSTED where the run would need more memory than
  // CompileOptions allows.
  absl::Status Make(const RaggedBatch& batch);

  // Preconditions of all below: the last Make succeeded.
  [[nodiscard]] std::size_t num_stretches() const { return batch_.size(); }
  [[nodiscard]] std::size_t arena_byte_size() const { return arena_byte_size_; }
  [[nodiscard]] std::size_t scratch_offset() const { return scratch_offset_; }
  [[nodiscard]] std::size_t scratch_byte_size() const { return scratch_byte_size_; }
  // Where a slot of the CompiledGraph begins in the arena.
  [[nodiscard]] std::size_t slot_offset(std::int32_t slot) const {
    return slot_offsets_[static_cast<std::size_t>(slot)];
  }
  // Of all stretches.
  [[nodiscard]] std::size_t packed_byte_size(std::int32_t value) const;
  // The positions of a step that runs once for all stretches; 0 of one that does not, or that a
  // chain has.
  [[nodiscard]] std::int64_t num_positions(std::size_t step) const { return positions_[step]; }
  // Whether the chain runs once for all stretches; `stretch` is 0 of its rows then.
  [[nodiscard]] bool is_merged_chain(std::size_t chain) const { return is_merged_[chain]; }
  [[nodiscard]] const RaggedChain& chain(std::size_t chain, std::size_t stretch) const {
    return chains_[chain * max_stretches_ + stretch];
  }

  // The value that holds the bytes of `value`: itself, unless it lies inside another.
  [[nodiscard]] std::int32_t base(std::int32_t value) const { return bases_[Index(value)]; }
  // Where in its base the scope of `value` begins.
  [[nodiscard]] std::size_t OffsetOf(std::int32_t value, const StepScope& scope) const;
  // What step `index` reads and writes, but for the data, and its pitches.
  void View(std::size_t index, const StepScope& scope, ScopeViews& views) const;

 private:
  static std::size_t Index(std::int32_t id) { return static_cast<std::size_t>(id); }

  void FindShapes();
  void FindBases();
  absl::Status MakeForBatch();
  absl::Status EvaluateDims();
  // The positions and chains, and what the values take of the arena.
  void PlanRows();
  void PlanChain(std::size_t index);
  RaggedChain RowsOfChain(const RowChain& chain, std::size_t first_stretch,
                          std::size_t end_stretch) const;
  absl::Status PlaceArena();
  void PlaceSubviews();
  // Checks the steps' inputs and finds what scratch they need.
  absl::Status PlanSteps();
  absl::Status PlanChainSteps(std::size_t index);
  absl::Status PlanStep(std::size_t index, const StepScope& scope);
  [[nodiscard]] absl::Status CheckArena(std::size_t byte_size) const;

  [[nodiscard]] std::span<const std::int64_t> DimsOf(std::int32_t value, std::size_t stretch) const;
  // Of the value before the stretch; of as many stretches as there are, all.
  [[nodiscard]] std::size_t StretchOffset(std::int32_t value, std::size_t stretch) const;
  // Of what the first `num_row_dims` dimensions make.
  [[nodiscard]] std::int64_t NumRows(std::int32_t value, std::size_t num_row_dims,
                                     std::size_t first_stretch, std::size_t end_stretch) const;
  [[nodiscard]] std::size_t RowByteSize(std::int32_t value, std::size_t num_row_dims,
                                        std::size_t stretch) const;
  [[nodiscard]] std::size_t ElementSize(std::int32_t value) const;
  // In every run; else null. One that lies in another where there is one row alone does not.
  [[nodiscard]] const Subview* SubviewOf(std::int32_t value) const;
  [[nodiscard]] std::int64_t PitchOf(std::int32_t value, std::size_t stretch) const;
  // The dimensions of `value` in the scope, some of them in `room`.
  [[nodiscard]] std::span<const std::int64_t> DimsIn(std::int32_t value, const StepScope& scope,
                                                     std::span<std::int64_t> room) const;

  const Executable& executable_;
  const CompiledGraph& graph_;

  // Values of one shape have the same dimensions in any run.
  std::vector<const Shape*> shapes_;
  std::vector<std::int32_t> shape_of_;  // by value, in shapes_
  std::vector<std::int32_t> bases_;     // by value
  std::vector<bool> is_local_;          // by value: to a chain
  std::vector<bool> is_rows_;           // by value: some rows at a time, where a chain reads it
  std::vector<std::int32_t> chain_of_;  // by step; -1: none
  std::vector<bool> is_merged_;         // by chain
  std::size_t max_stretches_ = 1;

  RaggedBatch batch_;                    // whose plan it is; none: there is no plan
  std::vector<std::size_t> dims_begin_;  // by shape, in dims_
  std::vector<std::int64_t> dims_;       // of each shape, for each stretch
  std::vector<std::int64_t>
      element_offsets_;                  // of each shape, for each stretch and behind the last
  std::vector<RaggedChain> chains_;      // of each chain, for each stretch
  std::vector<std::int64_t> positions_;  // by step
  std::vector<std::size_t> arena_byte_sizes_;  // by arena value
  std::vector<std::size_t> slot_offsets_;
  std::vector<std::size_t> subview_offsets_;  // of each subview, for each stretch
  std::vector<std::int64_t> subview_pitches_;
  std::size_t scratch_offset_ = 0;
  std::size_t scratch_byte_size_ = 0;
  std::size_t arena_byte_size_ = 0;
  ScopeViews planned_;  // the step's that is planned
};

}  // namespace octet
