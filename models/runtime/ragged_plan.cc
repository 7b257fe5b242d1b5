// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/ragged_plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/graph/verify.h"
#include "models/runtime/memory_plan.h"

namespace octet {
namespace {

constexpr std::size_t kMostStretches = 256;
// The dimensions of all shapes for all stretches are no more: a graph may have many shapes.
constexpr std::size_t kMostDims = std::size_t{1} << 20;

std::size_t AlignUp(std::size_t byte_size) {
  return (byte_size + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

// What orders shapes.
std::vector<std::int64_t> KeyOf(const Shape& shape) {
  std::vector<std::int64_t> key;
  for (const Dim& dim : shape) {
    const std::int64_t symbol = dim.is_constant() ? -1 : dim.symbol().index;
    key.insert(key.end(), {symbol, dim.scale(), dim.offset(), dim.divisor()});
  }
  return key;
}

}  // namespace

ScopeViews::ScopeViews(const CompiledGraph& graph) {
  for (const CompiledStep& step : graph.steps) {
    views.inputs.resize(std::max(views.inputs.size(), step.inputs.size()));
    views.outputs.resize(std::max(views.outputs.size(), step.outputs.size()));
  }
  input_pitches.resize(views.inputs.size());
  output_pitches.resize(views.outputs.size());
  dims.resize((views.inputs.size() + views.outputs.size()) * kMaxRank);
}

RaggedPlan::RaggedPlan(const Executable& executable)
    : executable_(executable),
      graph_(executable.compiled()),
      is_local_(graph_.values.size()),
      is_rows_(graph_.values.size()),
      chain_of_(graph_.steps.size(), -1),
      is_merged_(graph_.chains.size(), true),
      batch_(executable.symbol_names().size()),
      positions_(graph_.steps.size()),
      arena_byte_sizes_(graph_.arena_values.size()),
      slot_offsets_(static_cast<std::size_t>(graph_.num_slots)),
      planned_(graph_) {
  FindShapes();
  FindBases();
  for (std::size_t c = 0; c < graph_.chains.size(); ++c) {
    const RowChain& chain = graph_.chains[c];
    for (std::int32_t s = chain.first_step; s < chain.end_step; ++s) {
      chain_of_[Index(s)] = static_cast<std::int32_t>(c);
      if (graph_.steps[Index(s)].position_dims == 0) is_merged_[c] = false;
    }
    for (const RowValue& row_value : chain.values) {
      is_rows_[Index(row_value.value)] = true;
      if (row_value.is_local) is_local_[Index(row_value.value)] = true;
    }
  }
  chains_.resize(graph_.chains.size() * max_stretches_);
  subview_offsets_.resize(graph_.subviews.size() * max_stretches_);
  subview_pitches_.resize(graph_.subviews.size() * max_stretches_);
  batch_ = RaggedBatch(executable.symbol_names().size(), max_stretches_);
}

void RaggedPlan::FindShapes() {
  std::map<std::vector<std::int64_t>, std::int32_t> known;
  std::size_t num_dims = 0;  // of one stretch
  for (const CompiledValue& value : graph_.values) {
    const auto next = static_cast<std::int32_t>(shapes_.size());
    const auto [place, is_new] = known.emplace(KeyOf(value.shape), next);
    shape_of_.push_back(place->second);
    if (!is_new) continue;
    shapes_.push_back(&value.shape);
    num_dims += value.shape.size();
  }
  const auto max_rows = static_cast<std::size_t>(executable_.max_rows());
  const std::size_t fitting = kMostDims / std::max<std::size_t>(num_dims, 1);
  max_stretches_ = std::min({max_rows, kMostStretches, std::max<std::size_t>(fitting, 2)});
  for (const Shape* shape : shapes_) {
    dims_begin_.push_back(dims_.size());
    dims_.resize(dims_.size() + max_stretches_ * shape->size());
  }
  element_offsets_.resize(shapes_.size() * (max_stretches_ + 1));
}

void RaggedPlan::FindBases() {
  for (std::size_t i = 0; i < graph_.values.size(); ++i) {
    bases_.push_back(static_cast<std::int32_t>(i));
  }
  // Wholes come before what lies in them.
  for (const Subview& subview : graph_.subviews) {
    if (subview.in_place != InPlace::kAlways) continue;
    bases_[Index(subview.value)] = bases_[Index(subview.whole_root)];
  }
  for (std::size_t i = 0; i < graph_.values.size(); ++i) {
    // What has the very bytes of a subview.
    const Subview* const subview = SubviewOf(static_cast<std::int32_t>(i));
    if (subview != nullptr) bases_[i] = bases_[Index(subview->value)];
  }
}

absl::Status RaggedPlan::Make(const RaggedBatch& batch) {
  if (batch_ == batch) return absl::OkStatus();
  batch_.Assign(batch, {.first = 0, .count = batch.rows()}, max_stretches_);
  absl::Status status = MakeForBatch();
  if (!status.ok()) batch_.Clear();
  return status;
}

absl::Status RaggedPlan::MakeForBatch() {
  RETURN_IF_ERROR(EvaluateDims());
  PlanRows();
  RETURN_IF_ERROR(PlaceArena());
  PlaceSubviews();
  RETURN_IF_ERROR(PlanSteps());
  RETURN_IF_ERROR(CheckArena(scratch_byte_size_));
  arena_byte_size_ = scratch_offset_ + AlignUp(scratch_byte_size_);
  return CheckArena(arena_byte_size_);
}

absl::Status RaggedPlan::EvaluateDims() {
  for (std::size_t s = 0; s < shapes_.size(); ++s) {
    const Shape& shape = *shapes_[s];
    std::int64_t* const offsets = element_offsets_.data() + s * (max_stretches_ + 1);
    offsets[0] = 0;
    for (std::size_t stretch = 0; stretch < batch_.size(); ++stretch) {
      const std::span<std::int64_t> dims =
          std::span(dims_).subspan(dims_begin_[s] + stretch * shape.size(), shape.size());
      for (std::size_t d = 0; d < shape.size(); ++d) dims[d] = shape[d].Evaluate(batch_[stretch]);
      if (std::ranges::any_of(dims, [](std::int64_t dim) { return dim < 0; })) {
        const auto value = std::ranges::find(shape_of_, static_cast<std::int32_t>(s));
        return absl::InvalidArgumentError(
            absl::StrCat(DescribeValue(graph_, static_cast<std::size_t>(value - shape_of_.begin())),
                         " would have the shape ", ToString(dims), ": an input is too short"));
      }
      const absl::StatusOr<std::int64_t> elements = CheckedNumElements(dims);
      RETURN_IF_ERROR(elements.status());
      offsets[stretch + 1] = offsets[stretch] + *elements;
    }
  }
  return absl::OkStatus();
}

void RaggedPlan::PlanRows() {
  for (std::size_t i = 0; i < graph_.arena_values.size(); ++i) {
    const std::int32_t value = graph_.arena_values[i];
    arena_byte_sizes_[i] = SubviewOf(value) != nullptr ? 0 : packed_byte_size(value);
  }
  for (std::size_t s = 0; s < positions_.size(); ++s) {
    const CompiledStep& step = graph_.steps[s];
    const bool is_merged = step.position_dims > 0 && chain_of_[s] < 0;
    positions_[s] = is_merged ? NumRows(step.outputs[0], step.position_dims, 0, batch_.size()) : 0;
  }
  for (std::size_t c = 0; c < graph_.chains.size(); ++c) PlanChain(c);
}

void RaggedPlan::PlanChain(std::size_t index) {
  const RowChain& chain = graph_.chains[index];
  const std::size_t num_runs = is_merged_[index] ? 1 : batch_.size();
  for (const RowValue& row_value : chain.values) {
    if (row_value.is_local && graph_.values[Index(row_value.value)].storage == Storage::kArena) {
      arena_byte_sizes_[Index(graph_.values[Index(row_value.value)].index)] = 0;
    }
  }
  for (std::size_t stretch = 0; stretch < num_runs; ++stretch) {
    const RaggedChain rows =
        RowsOfChain(chain, stretch, is_merged_[index] ? batch_.size() : stretch + 1);
    chains_[index * max_stretches_ + stretch] = rows;
    for (const RowValue& row_value : chain.values) {
      if (!row_value.is_local) continue;
      std::size_t& byte_size =
          arena_byte_sizes_[Index(graph_.values[Index(row_value.value)].index)];
      byte_size = std::max(byte_size, RowByteSize(row_value.value, chain.num_row_dims, stretch) *
                                          static_cast<std::size_t>(rows.block_rows));
    }
  }
}

RaggedChain RaggedPlan::RowsOfChain(const RowChain& chain, std::size_t first_stretch,
                                    std::size_t end_stretch) const {
  RaggedChain rows;
  std::size_t row_byte_size = 0;
  for (const RowValue& row_value : chain.values) {
    rows.num_rows = NumRows(row_value.value, chain.num_row_dims, first_stretch, end_stretch);
    row_byte_size += RowByteSize(row_value.value, chain.num_row_dims, first_stretch);
  }
  rows.block_rows = std::min(RowsPerBlock(row_byte_size), std::max<std::int64_t>(rows.num_rows, 1));
  return rows;
}

absl::Status RaggedPlan::PlaceArena() {
  // Before the sum, which could overflow otherwise.
  for (const std::size_t byte_size : arena_byte_sizes_) RETURN_IF_ERROR(CheckArena(byte_size));
  scratch_offset_ = PlaceSlots(graph_.slots, arena_byte_sizes_, slot_offsets_);
  return CheckArena(scratch_offset_);
}

void RaggedPlan::PlaceSubviews() {
  for (std::size_t i = 0; i < graph_.subviews.size(); ++i) {
    const Subview& subview = graph_.subviews[i];
    if (subview.in_place != InPlace::kAlways) continue;
    for (std::size_t stretch = 0; stretch < batch_.size(); ++stretch) {
      const std::span<const std::int64_t> dims = DimsOf(subview.whole, stretch);
      const std::int64_t inner = NumElements(dims.subspan(subview.part.axis + 1));
      const std::int64_t first = subview.part.start.Evaluate(batch_[stretch]) * inner;
      const std::size_t place = i * max_stretches_ + stretch;
      subview_offsets_[place] = OffsetOf(subview.whole_root, {.stretch = stretch}) +
                                static_cast<std::size_t>(first) * ElementSize(subview.whole);
      subview_pitches_[place] = 0;
      if (!subview.has_pitch) continue;
      const std::int64_t outer_pitch = PitchOf(subview.whole, stretch);
      subview_pitches_[place] = outer_pitch != 0 ? outer_pitch : dims[subview.part.axis] * inner;
    }
  }
}

absl::Status RaggedPlan::PlanSteps() {
  scratch_byte_size_ = 0;
  for (std::size_t s = 0; s < graph_.steps.size(); ++s) {
    if (chain_of_[s] >= 0) continue;
    if (const std::size_t row_dims = graph_.steps[s].position_dims; row_dims > 0) {
      RETURN_IF_ERROR(PlanStep(s, {.num_row_dims = row_dims, .count = positions_[s]}));
      continue;
    }
    for (std::size_t stretch = 0; stretch < batch_.size(); ++stretch) {
      RETURN_IF_ERROR(PlanStep(s, {.stretch = stretch}));
    }
  }
  for (std::size_t c = 0; c < graph_.chains.size(); ++c) RETURN_IF_ERROR(PlanChainSteps(c));
  return absl::OkStatus();
}

absl::Status RaggedPlan::PlanChainSteps(std::size_t index) {
  const RowChain& chain = graph_.chains[index];
  const std::size_t num_runs = is_merged_[index] ? 1 : batch_.size();
  for (std::size_t stretch = 0; stretch < num_runs; ++stretch) {
    const RaggedChain& rows = chains_[index * max_stretches_ + stretch];
    for (const std::int64_t count : {rows.block_rows, rows.num_rows % rows.block_rows}) {
      if (count == 0) continue;
      const StepScope scope = {
          .stretch = stretch, .num_row_dims = chain.num_row_dims, .count = count};
      for (std::int32_t s = chain.first_step; s < chain.end_step; ++s) {
        RETURN_IF_ERROR(PlanStep(Index(s), scope));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status RaggedPlan::PlanStep(std::size_t index, const StepScope& scope) {
  const CompiledStep& step = graph_.steps[index];
  View(index, scope, planned_);
  const auto inputs = std::span<const TensorView>(planned_.views.inputs).first(step.inputs.size());
  RETURN_IF_ERROR(CheckStepInputs(step, inputs));
  scratch_byte_size_ = std::max(scratch_byte_size_, step.step->ScratchByteSize(inputs));
  return absl::OkStatus();
}

absl::Status RaggedPlan::CheckArena(std::size_t byte_size) const {
  return CheckArenaLimit(executable_.options(), byte_size);
}

std::span<const std::int64_t> RaggedPlan::DimsOf(std::int32_t value, std::size_t stretch) const {
  const std::size_t shape = Index(shape_of_[Index(value)]);
  const std::size_t rank = shapes_[shape]->size();
  return std::span(dims_).subspan(dims_begin_[shape] + stretch * rank, rank);
}

std::size_t RaggedPlan::StretchOffset(std::int32_t value, std::size_t stretch) const {
  const std::size_t shape = Index(shape_of_[Index(value)]);
  return static_cast<std::size_t>(element_offsets_[shape * (max_stretches_ + 1) + stretch]) *
         ElementSize(value);
}

std::size_t RaggedPlan::packed_byte_size(std::int32_t value) const {
  return StretchOffset(value, batch_.size());
}

std::int64_t RaggedPlan::NumRows(std::int32_t value, std::size_t num_row_dims,
                                 std::size_t first_stretch, std::size_t end_stretch) const {
  std::int64_t rows = 0;
  for (std::size_t stretch = first_stretch; stretch < end_stretch; ++stretch) {
    rows += NumElements(DimsOf(value, stretch).first(num_row_dims));
  }
  return rows;
}

std::size_t RaggedPlan::RowByteSize(std::int32_t value, std::size_t num_row_dims,
                                    std::size_t stretch) const {
  return static_cast<std::size_t>(NumElements(DimsOf(value, stretch).subspan(num_row_dims))) *
         ElementSize(value);
}

std::size_t RaggedPlan::ElementSize(std::int32_t value) const {
  return BitWidth(graph_.values[Index(value)].data_type) / 8;
}

const Subview* RaggedPlan::SubviewOf(std::int32_t value) const {
  // A ragged batch has several rows, though a stretch may have one.
  constexpr std::int64_t kSeveralRows = 2;
  return graph_.SubviewOf(graph_.values[Index(value)], kSeveralRows);
}

std::int64_t RaggedPlan::PitchOf(std::int32_t value, std::size_t stretch) const {
  if (value == kNoValue || SubviewOf(value) == nullptr) return 0;
  return subview_pitches_[Index(graph_.values[Index(value)].subview) * max_stretches_ + stretch];
}

std::size_t RaggedPlan::OffsetOf(std::int32_t value, const StepScope& scope) const {
  const CompiledValue& compiled = graph_.values[Index(value)];
  std::size_t offset = 0;
  if (scope.num_row_dims > 0 && scope.first > 0 && !is_local_[Index(value)] &&
      (compiled.storage != Storage::kConstant || is_rows_[Index(value)])) {
    offset = static_cast<std::size_t>(scope.first) *
             RowByteSize(value, scope.num_row_dims, scope.stretch);
  }
  if (SubviewOf(value) != nullptr) {
    return offset + subview_offsets_[Index(compiled.subview) * max_stretches_ + scope.stretch];
  }
  if (compiled.storage == Storage::kConstant || is_local_[Index(value)]) return offset;
  return offset + StretchOffset(value, scope.stretch);
}

std::span<const std::int64_t> RaggedPlan::DimsIn(std::int32_t value, const StepScope& scope,
                                                 std::span<std::int64_t> room) const {
  const std::span<const std::int64_t> dims = DimsOf(value, scope.stretch);
  const bool is_whole =
      graph_.values[Index(value)].storage == Storage::kConstant && !is_rows_[Index(value)];
  if (scope.num_row_dims == 0 || is_whole) return dims;
  std::ranges::copy(dims, room.begin());
  std::fill_n(room.begin(), scope.num_row_dims, 1);
  room[scope.num_row_dims - 1] = scope.count;
  return room.first(dims.size());
}

void RaggedPlan::View(std::size_t index, const StepScope& scope, ScopeViews& views) const {
  const CompiledStep& step = graph_.steps[index];
  std::span<std::int64_t> room(views.dims);
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    const std::int32_t id = step.inputs[i];
    views.views.inputs[i] = {};
    views.input_pitches[i] = PitchOf(id, scope.stretch);
    if (id == kNoValue) continue;
    views.views.inputs[i].data_type = graph_.values[Index(id)].data_type;
    views.views.inputs[i].dims = DimsIn(id, scope, room.subspan(i * kMaxRank, kMaxRank));
  }
  room = room.subspan(views.views.inputs.size() * kMaxRank);
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    const std::int32_t id = step.outputs[i];
    views.output_pitches[i] = PitchOf(id, scope.stretch);
    views.views.outputs[i] = {.data_type = graph_.values[Index(id)].data_type,
                              .dims = DimsIn(id, scope, room.subspan(i * kMaxRank, kMaxRank)),
                              .data = nullptr};
  }
}

}  // namespace octet
