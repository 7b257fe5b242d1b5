// SPDX-License-Identifier: Apache-2.0
// Runs the steps of an executable over a ragged batch, for a Session.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "models/runtime/executable.h"
#include "models/runtime/ragged_batch.h"
#include "models/runtime/ragged_plan.h"

namespace octet {

// Thread safety: one thread at a time.
class RaggedRun {
 public:
  // `executable` is borrowed for as long as it lives.
  explicit RaggedRun(const Executable& executable);

  // The most stretches of one run.
  [[nodiscard]] std::size_t max_stretches() const { return plan_.max_stretches(); }

  // Plans the next runs, as RaggedPlan::Make does.
  absl::Status Plan(const RaggedBatch& batch) { return plan_.Make(batch); }
  // Of what was planned.
  [[nodiscard]] std::size_t arena_byte_size() const { return plan_.arena_byte_size(); }

  // By the signature's index: packed tensors of the stretches that were planned, inputs aligned to
  // their elements. `arena` is as large as was planned. `stops` is asked before each step; once it
  // says so, returns false, else true at the end. Allocates nothing.
  bool Run(std::span<std::byte> arena, std::span<const std::byte* const> inputs,
           std::span<std::byte* const> outputs, absl::FunctionRef<bool()> stops);

  // Of the last run, as Session::last_quantize_nanoseconds.
  [[nodiscard]] std::int64_t quantize_nanoseconds() const { return quantize_nanoseconds_; }

 private:
  void PlaceValues(std::span<std::byte> arena, std::span<const std::byte* const> inputs,
                   std::span<std::byte* const> outputs);
  // Runs a step that no chain has. Returns whether it came to its end, as the next.
  bool RunStep(std::size_t index, absl::FunctionRef<bool()> stops);
  bool RunChain(std::size_t index, absl::FunctionRef<bool()> stops);
  void RunScope(std::size_t index, const StepScope& scope);
  [[nodiscard]] std::byte* DataOf(std::int32_t value, const StepScope& scope) const;

  const CompiledGraph& graph_;
  RaggedPlan plan_;
  std::vector<std::byte*> data_;  // of each value that lies inside no other
  ScopeViews views_;
  std::span<std::byte> scratch_;
  std::int64_t quantize_nanoseconds_ = 0;
};

}  // namespace octet
