// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/batch_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/runtime/memory_plan.h"

namespace octet {
namespace {

constexpr std::int64_t kUnplanned = -1;

std::size_t AlignUp(std::size_t byte_size) {
  return (byte_size + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

void SetBlockRows(std::size_t num_row_dims, std::int64_t count, std::vector<Dims>& block_dims) {
  for (Dims& dims : block_dims) {
    std::fill_n(dims.begin(), num_row_dims, 1);
    dims[num_row_dims - 1] = count;
  }
}

}  // namespace

absl::Status CheckArenaLimit(const CompileOptions& options, std::size_t byte_size) {
  const std::size_t limit = options.max_arena_byte_size;
  if (byte_size <= limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "a run would need ", byte_size, " bytes of memory or more, at most ", limit, " are allowed"));
}

BatchPlan::BatchPlan(const Executable& executable)
    : executable_(executable),
      graph_(executable.compiled()),
      symbols_(executable.symbol_names().size(), kUnplanned),
      block_dims_(graph_.chains.size()),
      arena_byte_sizes_(graph_.arena_values.size()),
      slot_offsets_(static_cast<std::size_t>(graph_.num_slots)),
      subview_pitches_(graph_.subviews.size()),
      places_(graph_.values.size()),
      steps_(graph_.steps.size()),
      chains_(graph_.chains.size()),
      inputs_(graph_.inputs.size()),
      output_row_byte_sizes_(graph_.outputs.size()) {
  dims_.reserve(graph_.values.size());
  for (const CompiledValue& value : graph_.values) dims_.emplace_back(value.shape.size());
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    steps_[s].views = ViewsOf(s, nullptr, nullptr);
    steps_[s].input_pitches.resize(graph_.steps[s].inputs.size());
    steps_[s].output_pitches.resize(graph_.steps[s].outputs.size());
  }
  for (std::size_t c = 0; c < chains_.size(); ++c) {
    const RowChain& chain = graph_.chains[c];
    BlockDims& dims = block_dims_[c];
    for (const RowValue& row_value : chain.values) {
      dims.full.emplace_back(graph_.values[static_cast<std::size_t>(row_value.value)].shape.size());
    }
    dims.rest = dims.full;
    chains_[c].row_byte_sizes.resize(chain.values.size());
    for (auto s = static_cast<std::size_t>(chain.first_step);
         s < static_cast<std::size_t>(chain.end_step); ++s) {
      steps_[s].views = ViewsOf(s, &chain, &dims.full);
      steps_[s].rest_views = ViewsOf(s, &chain, &dims.rest);
    }
  }
}

StepViews BatchPlan::ViewsOf(std::size_t index, const RowChain* chain,
                             const std::vector<Dims>* block_dims) const {
  const auto dims_of = [&](std::int32_t id) -> std::span<const std::int64_t> {
    if (chain != nullptr) {
      const auto found = std::ranges::lower_bound(chain->values, id, {}, &RowValue::value);
      const auto place = static_cast<std::size_t>(found - chain->values.begin());
      if (found != chain->values.end() && found->value == id) return (*block_dims)[place];
    }
    return dims_[static_cast<std::size_t>(id)];
  };
  const auto type_of = [&](std::int32_t id) {
    return graph_.values[static_cast<std::size_t>(id)].data_type;
  };
  const CompiledStep& step = graph_.steps[index];
  StepViews views;
  for (const std::int32_t id : step.inputs) {
    views.inputs.push_back(
        id == kNoValue
            ? TensorView{}
            : TensorView{.data_type = type_of(id), .dims = dims_of(id), .data = nullptr});
  }
  for (const std::int32_t id : step.outputs) {
    views.outputs.push_back({.data_type = type_of(id), .dims = dims_of(id), .data = nullptr});
  }
  return views;
}

absl::Status BatchPlan::Make(SymbolValues symbols) {
  if (std::ranges::equal(symbols_, symbols)) return absl::OkStatus();
  std::ranges::copy(symbols, symbols_.begin());
  absl::Status status = MakeForSymbols();
  if (!status.ok()) std::ranges::fill(symbols_, kUnplanned);
  return status;
}

absl::Status BatchPlan::MakeForSymbols() {
  RETURN_IF_ERROR(EvaluateDims());
  SizeArenaValues();
  PlanChains();
  RETURN_IF_ERROR(PlaceArena());
  RETURN_IF_ERROR(PlanSteps());
  RETURN_IF_ERROR(CheckArena(scratch_byte_size_));
  arena_byte_size_ = scratch_offset_ + AlignUp(scratch_byte_size_);
  RETURN_IF_ERROR(CheckArena(arena_byte_size_));
  PlaceValues();
  return absl::OkStatus();
}

absl::Status BatchPlan::EvaluateDims() {
  for (std::size_t i = 0; i < graph_.values.size(); ++i) {
    const Shape& shape = graph_.values[i].shape;
    for (std::size_t d = 0; d < shape.size(); ++d) dims_[i][d] = shape[d].Evaluate(symbols_);
    if (std::ranges::any_of(dims_[i], [](std::int64_t dim) { return dim < 0; })) {
      return absl::InvalidArgumentError(absl::StrCat(DescribeValue(graph_, i),
                                                     " would have the shape ", ToString(dims_[i]),
                                                     ": an input is too short"));
    }
    RETURN_IF_ERROR(CheckedNumElements(dims_[i]).status());
  }
  return absl::OkStatus();
}

std::size_t BatchPlan::ByteSizeOf(std::size_t value) const {
  return ByteSize(graph_.values[value].data_type, dims_[value]);
}

void BatchPlan::SizeArenaValues() {
  for (std::size_t i = 0; i < graph_.arena_values.size(); ++i) {
    const auto value = static_cast<std::size_t>(graph_.arena_values[i]);
    const bool is_subview = graph_.SubviewOf(graph_.values[value], rows()) != nullptr;
    arena_byte_sizes_[i] = is_subview ? 0 : ByteSizeOf(value);
  }
}

void BatchPlan::PlanChains() {
  for (std::size_t c = 0; c < chains_.size(); ++c) {
    const RowChain& chain = graph_.chains[c];
    PlannedChain& planned = chains_[c];
    BlockDims& block_dims = block_dims_[c];
    std::size_t row_byte_size = 0;
    for (std::size_t i = 0; i < chain.values.size(); ++i) {
      const auto value = static_cast<std::size_t>(chain.values[i].value);
      const std::span<const std::int64_t> dims = dims_[value];
      planned.num_rows = NumElements(dims.first(chain.num_row_dims));
      planned.row_byte_sizes[i] =
          ByteSize(graph_.values[value].data_type, dims.subspan(chain.num_row_dims));
      row_byte_size += planned.row_byte_sizes[i];
      std::ranges::copy(dims, block_dims.full[i].begin());
      std::ranges::copy(dims, block_dims.rest[i].begin());
    }
    planned.block_rows =
        std::min(RowsPerBlock(row_byte_size), std::max<std::int64_t>(planned.num_rows, 1));
    SetBlockRows(chain.num_row_dims, planned.block_rows, block_dims.full);
    SetBlockRows(chain.num_row_dims, planned.num_rows % planned.block_rows, block_dims.rest);
    for (std::size_t i = 0; i < chain.values.size(); ++i) {
      if (!chain.values[i].is_local) continue;
      const CompiledValue& value = graph_.values[static_cast<std::size_t>(chain.values[i].value)];
      arena_byte_sizes_[static_cast<std::size_t>(value.index)] =
          planned.row_byte_sizes[i] * static_cast<std::size_t>(planned.block_rows);
    }
  }
}

absl::Status BatchPlan::PlaceArena() {
  // Before the sum, which could overflow otherwise.
  for (const std::size_t byte_size : arena_byte_sizes_) RETURN_IF_ERROR(CheckArena(byte_size));
  std::size_t end = PlaceSlots(graph_.slots, arena_byte_sizes_, slot_offsets_);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const std::size_t byte_size = ByteSizeOf(static_cast<std::size_t>(graph_.inputs[i]));
    RETURN_IF_ERROR(CheckArena(byte_size));
    inputs_[i] = {.byte_size = byte_size, .staging_offset = end};
    end += AlignUp(byte_size);
  }
  scratch_offset_ = end;
  return absl::OkStatus();
}

absl::Status BatchPlan::PlanSteps() {
  scratch_byte_size_ = 0;
  for (std::size_t s = 0; s < steps_.size(); ++s) RETURN_IF_ERROR(PlanStep(s, steps_[s].views));
  for (std::size_t c = 0; c < chains_.size(); ++c) {
    if (chains_[c].num_rows % chains_[c].block_rows == 0) continue;
    for (auto s = static_cast<std::size_t>(graph_.chains[c].first_step);
         s < static_cast<std::size_t>(graph_.chains[c].end_step); ++s) {
      RETURN_IF_ERROR(PlanStep(s, steps_[s].rest_views));
    }
  }
  return absl::OkStatus();
}

absl::Status BatchPlan::PlanStep(std::size_t index, const StepViews& views) {
  const CompiledStep& step = graph_.steps[index];
  RETURN_IF_ERROR(CheckStepInputs(step, views.inputs));
  scratch_byte_size_ = std::max(scratch_byte_size_, step.step->ScratchByteSize(views.inputs));
  return absl::OkStatus();
}

absl::Status BatchPlan::CheckArena(std::size_t byte_size) const {
  return CheckArenaLimit(executable_.options(), byte_size);
}

void BatchPlan::PlaceValues() {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const CompiledValue& value = graph_.values[i];
    Place& place = places_[i];
    place = {.storage = value.storage, .index = value.index, .byte_offset = 0};
    if (value.storage != Storage::kArena) continue;
    const std::int32_t slot = graph_.slots[static_cast<std::size_t>(value.index)];
    place.byte_offset = slot_offsets_[static_cast<std::size_t>(slot)];
  }
  for (std::size_t i = 0; i < output_row_byte_sizes_.size(); ++i) {
    output_row_byte_sizes_[i] =
        ByteSizeOf(static_cast<std::size_t>(graph_.outputs[i])) / static_cast<std::size_t>(rows());
  }
  if (!graph_.subviews.empty()) PlaceSubviews();
}

void BatchPlan::PlaceSubviews() {
  for (std::size_t i = 0; i < graph_.subviews.size(); ++i) {
    const Subview& subview = graph_.subviews[i];
    if (!IsInPlace(subview.in_place, rows())) continue;
    const auto whole = static_cast<std::size_t>(subview.whole);
    const std::span<const std::int64_t> dims = dims_[whole];
    const std::int64_t inner = NumElements(dims.subspan(subview.part.axis + 1));
    const std::int64_t first = subview.part.start.Evaluate(symbols_) * inner;
    const std::size_t element_size = BitWidth(graph_.values[whole].data_type) / 8;
    Place& place = places_[static_cast<std::size_t>(subview.value)];
    place = places_[static_cast<std::size_t>(subview.whole_root)];
    place.byte_offset += static_cast<std::size_t>(first) * element_size;
    subview_pitches_[i] = 0;
    if (!subview.has_pitch) continue;
    const std::int64_t outer_pitch = PitchOf(subview.whole);
    subview_pitches_[i] = outer_pitch != 0 ? outer_pitch : dims[subview.part.axis] * inner;
  }
  // What has the very bytes of a subview.
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Subview* const subview = graph_.SubviewOf(graph_.values[i], rows());
    if (subview != nullptr) places_[i] = places_[static_cast<std::size_t>(subview->value)];
  }
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    std::ranges::transform(graph_.steps[s].inputs, steps_[s].input_pitches.begin(),
                           [this](std::int32_t id) { return PitchOf(id); });
    std::ranges::transform(graph_.steps[s].outputs, steps_[s].output_pitches.begin(),
                           [this](std::int32_t id) { return PitchOf(id); });
  }
}

std::int64_t BatchPlan::PitchOf(std::int32_t id) const {
  if (id == kNoValue) return 0;
  const CompiledValue& value = graph_.values[static_cast<std::size_t>(id)];
  if (graph_.SubviewOf(value, rows()) == nullptr) return 0;
  return subview_pitches_[static_cast<std::size_t>(value.subview)];
}

}  // namespace octet
