// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/session.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/runtime/memory_plan.h"
#include "models/runtime/symbol_binding.h"

namespace octet {
namespace {

constexpr std::int64_t kUnplanned = -1;
constexpr std::align_val_t kAlignment{kArenaAlignment};

std::size_t AlignUp(std::size_t byte_size) {
  return (byte_size + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

}  // namespace

void Arena::Reserve(std::size_t byte_size) {
  if (byte_size <= byte_size_) return;
  buffer_.reset();  // never two of them at once
  // Not zeroed: the pages of a large arena that no batch reaches are never touched.
  buffer_.reset(static_cast<std::byte*>(::operator new(byte_size, kAlignment)));
  byte_size_ = byte_size;
}

void Arena::Free::operator()(std::byte* buffer) const { ::operator delete(buffer, kAlignment); }

absl::StatusOr<std::unique_ptr<Session>> Session::Create(
    std::shared_ptr<const Executable> executable, Arena& arena) {
  std::unique_ptr<Session> session(new Session(std::move(executable), arena));
  std::fill(session->symbols_.begin(), session->symbols_.end(), 1);
  // Another symbol may be too small for this model (a sequence that is cropped): then its first
  // batch plans.
  const absl::Status status = session->ReserveArena();
  if (absl::IsResourceExhausted(status)) return status;
  return session;
}

Session::Session(std::shared_ptr<const Executable> executable, Arena& arena)
    : executable_(std::move(executable)), arena_(arena) {
  const CompiledGraph& graph = executable_->compiled();
  symbols_.resize(executable_->symbol_names().size());
  planned_symbols_.resize(symbols_.size(), kUnplanned);
  reserved_symbols_.resize(symbols_.size(), kUnplanned);
  for (const CompiledValue& value : graph.values) dims_.emplace_back(value.shape.size());
  arena_byte_sizes_.resize(graph.arena_values.size());
  slot_offsets_.resize(static_cast<std::size_t>(graph.num_slots));
  staging_offsets_.resize(graph.inputs.size());
  data_.resize(graph.values.size());
  subview_pitches_.resize(graph.subviews.size());
  steps_.resize(graph.steps.size());
  chains_.resize(graph.chains.size());
  for (std::size_t s = 0; s < steps_.size(); ++s) BindDims(s, nullptr, nullptr);
  for (std::size_t c = 0; c < chains_.size(); ++c) {
    const RowChain& chain = graph.chains[c];
    for (const RowValue& row_value : chain.values) {
      const std::size_t rank = graph.values[static_cast<std::size_t>(row_value.value)].shape.size();
      chains_[c].dims.emplace_back(rank);
    }
    chains_[c].row_byte_sizes.resize(chain.values.size());
    for (std::int32_t s = chain.first_step; s < chain.end_step; ++s) {
      BindDims(static_cast<std::size_t>(s), &chain, &chains_[c]);
    }
  }
}

void Session::BindDims(std::size_t index, const RowChain* chain, const BoundChain* bound_chain) {
  const CompiledStep& step = executable_->compiled().steps[index];
  const auto dims_of = [&](std::int32_t id) -> std::span<const std::int64_t> {
    if (chain != nullptr) {
      const auto found = std::ranges::lower_bound(chain->values, id, {}, &RowValue::value);
      const auto place = static_cast<std::size_t>(found - chain->values.begin());
      if (found != chain->values.end() && found->value == id) return bound_chain->dims[place];
    }
    return dims_[static_cast<std::size_t>(id)];
  };
  const auto type_of = [&](std::int32_t id) {
    return executable_->compiled().values[static_cast<std::size_t>(id)].data_type;
  };
  BoundStep bound;
  for (const std::int32_t id : step.inputs) {
    bound.inputs.push_back(
        id == kNoValue
            ? TensorView{}
            : TensorView{.data_type = type_of(id), .dims = dims_of(id), .data = nullptr});
  }
  for (const std::int32_t id : step.outputs) {
    bound.outputs.push_back({.data_type = type_of(id), .dims = dims_of(id), .data = nullptr});
  }
  bound.input_pitches.resize(bound.inputs.size());
  bound.output_pitches.resize(bound.outputs.size());
  steps_[index] = std::move(bound);
}

absl::Status Session::OutputDims(std::span<const TensorView> inputs, std::vector<Dims>& dims) {
  RETURN_IF_ERROR(BindSymbols(*executable_, inputs, symbols_));
  const auto& outputs = executable_->outputs();
  dims.resize(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Shape& shape = outputs[i].type.shape;
    dims[i].resize(shape.size());
    for (std::size_t d = 0; d < shape.size(); ++d) {
      dims[i][d] = shape[d].Evaluate(symbols_);
      if (dims[i][d] < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("output \"", outputs[i].name, "\" would have the shape ",
                         ToString(dims[i]), ": an input is too short"));
      }
    }
    RETURN_IF_ERROR(CheckedNumElements(dims[i]).status());
  }
  return absl::OkStatus();
}

absl::Status Session::Plan() {
  if (planned_symbols_ == symbols_) return absl::OkStatus();
  std::fill(planned_symbols_.begin(), planned_symbols_.end(), kUnplanned);
  const CompiledGraph& graph = executable_->compiled();
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const Shape& shape = graph.values[i].shape;
    for (std::size_t d = 0; d < shape.size(); ++d) dims_[i][d] = shape[d].Evaluate(symbols_);
    if (std::ranges::any_of(dims_[i], [](std::int64_t dim) { return dim < 0; })) {
      return absl::InvalidArgumentError(absl::StrCat(DescribeValue(graph, i),
                                                     " would have the shape ", ToString(dims_[i]),
                                                     ": an input is too short"));
    }
    RETURN_IF_ERROR(CheckedNumElements(dims_[i]).status());
  }
  for (std::size_t i = 0; i < graph.arena_values.size(); ++i) {
    const auto value = static_cast<std::size_t>(graph.arena_values[i]);
    const bool is_subview = graph.SubviewOf(graph.values[value], rows()) != nullptr;
    arena_byte_sizes_[i] = is_subview ? 0 : ByteSize(graph.values[value].data_type, dims_[value]);
  }
  PlanChains();
  // Before the sum, which could overflow otherwise.
  for (const std::size_t byte_size : arena_byte_sizes_) RETURN_IF_ERROR(CheckArena(byte_size));
  std::size_t end = PlaceSlots(graph.slots, arena_byte_sizes_, slot_offsets_);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const auto value = static_cast<std::size_t>(graph.inputs[i]);
    staging_offsets_[i] = end;
    const std::size_t byte_size = ByteSize(graph.values[value].data_type, dims_[value]);
    RETURN_IF_ERROR(CheckArena(byte_size));
    end += AlignUp(byte_size);
  }
  scratch_offset_ = end;
  RETURN_IF_ERROR(PlanSteps());
  RETURN_IF_ERROR(CheckArena(scratch_byte_size_));
  arena_byte_size_ = scratch_offset_ + AlignUp(scratch_byte_size_);
  RETURN_IF_ERROR(CheckArena(arena_byte_size_));
  planned_symbols_ = symbols_;
  return absl::OkStatus();
}

void Session::PlanChains() {
  const CompiledGraph& graph = executable_->compiled();
  for (std::size_t c = 0; c < chains_.size(); ++c) {
    const RowChain& chain = graph.chains[c];
    BoundChain& bound = chains_[c];
    std::size_t row_byte_size = 0;
    for (std::size_t i = 0; i < chain.values.size(); ++i) {
      const auto value = static_cast<std::size_t>(chain.values[i].value);
      const std::span<const std::int64_t> dims = dims_[value];
      bound.num_rows = NumElements(dims.first(chain.num_row_dims));
      bound.row_byte_sizes[i] =
          ByteSize(graph.values[value].data_type, dims.subspan(chain.num_row_dims));
      row_byte_size += bound.row_byte_sizes[i];
      std::ranges::copy(dims, bound.dims[i].begin());
    }
    bound.block_rows =
        std::min(RowsPerBlock(row_byte_size), std::max<std::int64_t>(bound.num_rows, 1));
    SetBlockRows(chain, bound.block_rows, bound);
    for (std::size_t i = 0; i < chain.values.size(); ++i) {
      const CompiledValue& value = graph.values[static_cast<std::size_t>(chain.values[i].value)];
      if (!chain.values[i].is_local) continue;
      arena_byte_sizes_[static_cast<std::size_t>(value.index)] =
          bound.row_byte_sizes[i] * static_cast<std::size_t>(bound.block_rows);
    }
  }
}

void Session::SetBlockRows(const RowChain& chain, std::int64_t count, BoundChain& bound) {
  for (Dims& dims : bound.dims) {
    std::fill_n(dims.begin(), chain.num_row_dims, 1);
    dims[chain.num_row_dims - 1] = count;
  }
}

absl::Status Session::PlanSteps() {
  const CompiledGraph& graph = executable_->compiled();
  scratch_byte_size_ = 0;
  for (std::size_t s = 0; s < steps_.size(); ++s) RETURN_IF_ERROR(PlanStep(s));
  // The last block may have fewer rows.
  for (std::size_t c = 0; c < chains_.size(); ++c) {
    const RowChain& chain = graph.chains[c];
    const std::int64_t rest = chains_[c].num_rows % chains_[c].block_rows;
    if (rest == 0) continue;
    SetBlockRows(chain, rest, chains_[c]);
    for (std::int32_t s = chain.first_step; s < chain.end_step; ++s) {
      RETURN_IF_ERROR(PlanStep(static_cast<std::size_t>(s)));
    }
  }
  return absl::OkStatus();
}

absl::Status Session::PlanStep(std::size_t index) {
  const CompiledStep& step = executable_->compiled().steps[index];
  RETURN_IF_ERROR(CheckStepInputs(step, steps_[index].inputs));
  scratch_byte_size_ =
      std::max(scratch_byte_size_, step.step->ScratchByteSize(steps_[index].inputs));
  return absl::OkStatus();
}

absl::Status Session::CheckArena(std::size_t byte_size) const {
  const std::size_t limit = executable_->options().max_arena_byte_size;
  if (byte_size <= limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "a run would need ", byte_size, " bytes of memory or more, at most ", limit, " are allowed"));
}

absl::Status Session::ReserveArena() {
  const auto after_rows = [](const std::vector<std::int64_t>& symbols) {
    return std::span(symbols).subspan(1);
  };
  if (reserved_symbols_[0] != kUnplanned &&
      std::ranges::equal(after_rows(reserved_symbols_), after_rows(symbols_))) {
    return absl::OkStatus();
  }
  std::fill(reserved_symbols_.begin(), reserved_symbols_.end(), kUnplanned);
  std::int64_t& rows = symbols_[static_cast<std::size_t>(kRows.index)];
  const std::int64_t batch_rows = rows;
  rows = executable_->max_rows();
  absl::Status status = Plan();
  while (absl::IsResourceExhausted(status) && rows > 1) {
    rows /= 2;
    status = Plan();
  }
  chunk_rows_ = rows;
  rows = batch_rows;
  RETURN_IF_ERROR(status);
  arena_.Reserve(arena_byte_size_);
  reserved_symbols_ = symbols_;
  return absl::OkStatus();
}

absl::Status Session::PrepareRun(std::span<const TensorView> inputs,
                                 std::span<const MutableTensorView> outputs) {
  RETURN_IF_ERROR(BindSymbols(*executable_, inputs, symbols_));
  if (outputs.size() != executable_->outputs().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", outputs.size(), " outputs, wants ", executable_->outputs().size()));
  }
  quantize_nanoseconds_ = 0;
  return ReserveArena();
}

absl::Status Session::Run(std::span<const TensorView> inputs,
                          std::span<const MutableTensorView> outputs) {
  RETURN_IF_ERROR(PrepareRun(inputs, outputs));
  const std::int64_t num_rows = symbols_[static_cast<std::size_t>(kRows.index)];
  return RunBound(inputs, outputs, {.first = 0, .count = num_rows}, [] { return false; });
}

absl::Status Session::RunRows(std::span<const TensorView> inputs,
                              std::span<const MutableTensorView> outputs, RowRange rows,
                              absl::FunctionRef<bool()> stops) {
  RETURN_IF_ERROR(PrepareRun(inputs, outputs));
  assert(rows.first >= 0 && rows.count > 0 &&
         rows.count <= symbols_[static_cast<std::size_t>(kRows.index)] - rows.first);
  return RunBound(inputs, outputs, rows, stops);
}

absl::Status Session::RunBound(std::span<const TensorView> inputs,
                               std::span<const MutableTensorView> outputs, RowRange rows,
                               absl::FunctionRef<bool()> stops) {
  std::int64_t& rows_symbol = symbols_[static_cast<std::size_t>(kRows.index)];
  const std::int64_t end = rows.first + rows.count;
  for (std::int64_t row = rows.first; row < end; row += chunk_rows_) {
    rows_symbol = std::min(chunk_rows_, end - row);
    RETURN_IF_ERROR(Plan());
    arena_.Reserve(arena_byte_size_);  // does nothing: fewer rows than reserved for
    if (!RunChunk(inputs, outputs, row, stops)) return absl::CancelledError();
  }
  return absl::OkStatus();
}

const void* Session::PlaceInput(const TensorView& input, std::size_t index,
                                std::int64_t first_row) {
  const auto value = static_cast<std::size_t>(executable_->compiled().inputs[index]);
  const std::size_t byte_size = ByteSize(input.data_type, dims_[value]);
  const std::size_t row_byte_size = byte_size / static_cast<std::size_t>(dims_[value][0]);
  const std::byte* const data =
      input.as<std::byte>() + static_cast<std::size_t>(first_row) * row_byte_size;
  const std::size_t alignment = BitWidth(input.data_type) / 8;
  if (reinterpret_cast<std::uintptr_t>(data) % alignment == 0) return data;
  // Bytes of a request lie where the wire put them.
  std::byte* const staging = arena_.bytes().data() + staging_offsets_[index];
  std::memcpy(staging, data, byte_size);
  return staging;
}

void Session::PlaceValues(std::span<const TensorView> inputs,
                          std::span<const MutableTensorView> outputs, std::int64_t first_row) {
  const CompiledGraph& graph = executable_->compiled();
  std::byte* const arena = arena_.bytes().data();
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const CompiledValue& value = graph.values[i];
    const auto index = static_cast<std::size_t>(value.index);
    switch (value.storage) {
      case Storage::kUnused:
        break;
      case Storage::kConstant:
        // Steps only read their inputs; the views of inputs are const again.
        data_[i] = const_cast<std::byte*>(value.constant->bytes().data());
        break;
      case Storage::kInput:
        data_[i] = const_cast<void*>(PlaceInput(inputs[index], index, first_row));
        break;
      case Storage::kOutput: {
        const std::size_t byte_size = ByteSize(value.data_type, dims_[i]);
        const std::size_t row_byte_size =
            byte_size / static_cast<std::size_t>(symbols_[static_cast<std::size_t>(kRows.index)]);
        data_[i] =
            outputs[index].as<std::byte>() + static_cast<std::size_t>(first_row) * row_byte_size;
        break;
      }
      case Storage::kArena:
        data_[i] = arena + slot_offsets_[static_cast<std::size_t>(graph.slots[index])];
        break;
      case Storage::kSubview:
        break;
    }
  }
  PlaceSubviews();
}

void Session::PlaceSubviews() {
  const CompiledGraph& graph = executable_->compiled();
  if (graph.subviews.empty()) return;
  for (std::size_t i = 0; i < graph.subviews.size(); ++i) {
    const Subview& subview = graph.subviews[i];
    if (!IsInPlace(subview.in_place, rows())) continue;
    const auto whole = static_cast<std::size_t>(subview.whole);
    const auto dims = std::span<const std::int64_t>(dims_[whole]);
    const std::int64_t inner = NumElements(dims.subspan(subview.part.axis + 1));
    const std::int64_t first = subview.part.start.Evaluate(symbols_) * inner;
    const std::size_t element_size = BitWidth(graph.values[whole].data_type) / 8;
    data_[static_cast<std::size_t>(subview.value)] =
        static_cast<std::byte*>(data_[static_cast<std::size_t>(subview.whole_root)]) +
        static_cast<std::size_t>(first) * element_size;
    subview_pitches_[i] = 0;
    if (!subview.has_pitch) continue;
    const std::int64_t outer_pitch = PitchOf(subview.whole);
    subview_pitches_[i] = outer_pitch != 0 ? outer_pitch : dims[subview.part.axis] * inner;
  }
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const Subview* const subview = graph.SubviewOf(graph.values[i], rows());
    if (subview != nullptr) data_[i] = data_[static_cast<std::size_t>(subview->value)];
  }
}

std::int64_t Session::PitchOf(std::int32_t id) const {
  const CompiledGraph& graph = executable_->compiled();
  const CompiledValue& value = graph.values[static_cast<std::size_t>(id)];
  if (graph.SubviewOf(value, rows()) == nullptr) return 0;
  return subview_pitches_[static_cast<std::size_t>(value.subview)];
}

void Session::BindStep(std::size_t index) {
  const CompiledGraph& graph = executable_->compiled();
  const CompiledStep& step = graph.steps[index];
  BoundStep& bound = steps_[index];
  for (std::size_t i = 0; i < bound.inputs.size(); ++i) {
    if (step.inputs[i] == kNoValue) continue;
    bound.inputs[i].data = data_[static_cast<std::size_t>(step.inputs[i])];
    bound.input_pitches[i] = PitchOf(step.inputs[i]);
  }
  for (std::size_t i = 0; i < bound.outputs.size(); ++i) {
    bound.outputs[i].data = data_[static_cast<std::size_t>(step.outputs[i])];
    bound.output_pitches[i] = PitchOf(step.outputs[i]);
  }
}

void Session::RunStep(std::size_t index, std::span<std::byte> scratch) {
  BindStep(index);
  const CompiledStep& step = executable_->compiled().steps[index];
  const BoundStep& bound = steps_[index];
  const StepArguments arguments{.inputs = bound.inputs,
                                .outputs = bound.outputs,
                                .scratch = scratch,
                                .input_pitches = {bound.input_pitches},
                                .output_pitches = {bound.output_pitches}};
  if (!step.quantizes_input) return step.step->Run(arguments);
  const auto start = std::chrono::steady_clock::now();
  step.step->Run(arguments);
  quantize_nanoseconds_ +=
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start)
          .count();
}

bool Session::RunChain(const RowChain& chain, BoundChain& bound, std::span<std::byte> scratch,
                       absl::FunctionRef<bool()> stops) {
  // By how many rows the data of values that are not local moves on.
  const auto move = [&](std::int64_t rows) {
    for (std::size_t i = 0; i < chain.values.size(); ++i) {
      if (chain.values[i].is_local) continue;
      void*& data = data_[static_cast<std::size_t>(chain.values[i].value)];
      data = static_cast<std::byte*>(data) +
             rows * static_cast<std::ptrdiff_t>(bound.row_byte_sizes[i]);
    }
  };
  for (std::int64_t row = 0; row < bound.num_rows; row += bound.block_rows) {
    const std::int64_t count = std::min(bound.block_rows, bound.num_rows - row);
    SetBlockRows(chain, count, bound);
    for (std::int32_t s = chain.first_step; s < chain.end_step; ++s) {
      if (stops()) return false;
      RunStep(static_cast<std::size_t>(s), scratch);
    }
    move(count);
  }
  move(-bound.num_rows);
  return true;
}

bool Session::RunChunk(std::span<const TensorView> inputs,
                       std::span<const MutableTensorView> outputs, std::int64_t first_row,
                       absl::FunctionRef<bool()> stops) {
  const CompiledGraph& graph = executable_->compiled();
  PlaceValues(inputs, outputs, first_row);
  const std::span<std::byte> scratch = arena_.bytes().subspan(scratch_offset_, scratch_byte_size_);
  std::size_t next_chain = 0;
  for (std::size_t s = 0; s < steps_.size();) {
    if (next_chain < chains_.size() &&
        static_cast<std::size_t>(graph.chains[next_chain].first_step) == s) {
      const RowChain& chain = graph.chains[next_chain];
      if (!RunChain(chain, chains_[next_chain], scratch, stops)) return false;
      s = static_cast<std::size_t>(chain.end_step);
      ++next_chain;
      continue;
    }
    if (!IsInPlace(graph.steps[s].in_place, rows())) {
      if (stops()) return false;
      RunStep(s, scratch);
    }
    ++s;
  }
  const std::int64_t num_rows = symbols_[static_cast<std::size_t>(kRows.index)];
  for (const OutputCopy& copy : graph.output_copies) {
    const auto value = static_cast<std::size_t>(copy.value);
    const std::size_t byte_size = ByteSize(graph.values[value].data_type, dims_[value]);
    std::byte* const target =
        outputs[static_cast<std::size_t>(copy.output)].as<std::byte>() +
        static_cast<std::size_t>(first_row) * (byte_size / static_cast<std::size_t>(num_rows));
    std::memcpy(target, data_[value], byte_size);
  }
  return true;
}

}  // namespace octet
