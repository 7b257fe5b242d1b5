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

constexpr std::int64_t kUnreserved = -1;
constexpr std::align_val_t kAlignment{kArenaAlignment};

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
    : executable_(std::move(executable)),
      arena_(arena),
      symbols_(executable_->symbol_names().size()),
      reserved_symbols_(symbols_.size(), kUnreserved),
      plan_(*executable_),
      input_data_(executable_->inputs().size()),
      output_data_(executable_->outputs().size()),
      data_(executable_->compiled().values.size()),
      ragged_batch_(symbols_.size()) {
  for (const CompiledStep& step : executable_->compiled().steps) {
    views_.inputs.resize(std::max(views_.inputs.size(), step.inputs.size()));
    views_.outputs.resize(std::max(views_.outputs.size(), step.outputs.size()));
  }
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

absl::Status Session::ReserveArena() {
  const auto after_rows = [](const std::vector<std::int64_t>& symbols) {
    return std::span(symbols).subspan(1);
  };
  if (reserved_symbols_[0] != kUnreserved &&
      std::ranges::equal(after_rows(reserved_symbols_), after_rows(symbols_))) {
    return absl::OkStatus();
  }
  std::fill(reserved_symbols_.begin(), reserved_symbols_.end(), kUnreserved);
  std::int64_t& rows = symbols_[static_cast<std::size_t>(kRows.index)];
  const std::int64_t batch_rows = rows;
  rows = executable_->max_rows();
  absl::Status status = plan_.Make(symbols_);
  while (absl::IsResourceExhausted(status) && rows > 1) {
    rows /= 2;
    status = plan_.Make(symbols_);
  }
  chunk_rows_ = rows;
  rows = batch_rows;
  RETURN_IF_ERROR(status);
  arena_.Reserve(plan_.arena_byte_size());
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
    RETURN_IF_ERROR(plan_.Make(symbols_));
    arena_.Reserve(plan_.arena_byte_size());  // does nothing: fewer rows than reserved for
    if (!RunChunk(inputs, outputs, row, stops)) return absl::CancelledError();
  }
  return absl::OkStatus();
}

std::byte* Session::PlaceInput(const TensorView& input, std::size_t index, std::int64_t first_row) {
  const PlannedInput& planned = plan_.inputs()[index];
  const std::size_t row_byte_size = planned.byte_size / static_cast<std::size_t>(plan_.rows());
  const std::byte* const data =
      input.as<std::byte>() + static_cast<std::size_t>(first_row) * row_byte_size;
  const std::size_t alignment = BitWidth(input.data_type) / 8;
  if (reinterpret_cast<std::uintptr_t>(data) % alignment == 0) {
    // Steps only read their inputs; the views of inputs are const again.
    return const_cast<std::byte*>(data);
  }
  // Bytes of a request lie where the wire put them.
  std::byte* const staging = arena_.bytes().data() + planned.staging_offset;
  std::memcpy(staging, data, planned.byte_size);
  return staging;
}

void Session::PlaceValues(std::span<const TensorView> inputs,
                          std::span<const MutableTensorView> outputs, std::int64_t first_row) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    input_data_[i] = PlaceInput(inputs[i], i, first_row);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    output_data_[i] = outputs[i].as<std::byte>() +
                      static_cast<std::size_t>(first_row) * plan_.output_row_byte_sizes()[i];
  }
  const CompiledGraph& graph = executable_->compiled();
  std::byte* const arena = arena_.bytes().data();
  for (std::size_t i = 0; i < data_.size(); ++i) {
    const Place& place = plan_.places()[i];
    switch (place.storage) {
      case Storage::kUnused:
      case Storage::kSubview:
        break;
      case Storage::kConstant:
        // As with inputs.
        data_[i] = const_cast<std::byte*>(graph.values[i].constant->bytes().data());
        break;
      case Storage::kInput:
        data_[i] = input_data_[static_cast<std::size_t>(place.index)] + place.byte_offset;
        break;
      case Storage::kOutput:
        data_[i] = output_data_[static_cast<std::size_t>(place.index)] + place.byte_offset;
        break;
      case Storage::kArena:
        data_[i] = arena + place.byte_offset;
        break;
    }
  }
}

void Session::RunStep(std::size_t index, const StepViews& views) {
  const CompiledStep& step = executable_->compiled().steps[index];
  const auto data_of = [this](std::int32_t id) {
    return id == kNoValue ? nullptr : data_[static_cast<std::size_t>(id)];
  };
  for (std::size_t i = 0; i < views.inputs.size(); ++i) {
    views_.inputs[i] = views.inputs[i];
    views_.inputs[i].data = data_of(step.inputs[i]);
  }
  for (std::size_t i = 0; i < views.outputs.size(); ++i) {
    views_.outputs[i] = views.outputs[i];
    views_.outputs[i].data = data_of(step.outputs[i]);
  }
  const PlannedStep& planned = plan_.steps()[index];
  const StepArguments arguments{
      .inputs = std::span(views_.inputs).first(views.inputs.size()),
      .outputs = std::span(views_.outputs).first(views.outputs.size()),
      .scratch = arena_.bytes().subspan(plan_.scratch_offset(), plan_.scratch_byte_size()),
      .input_pitches = {planned.input_pitches},
      .output_pitches = {planned.output_pitches}};
  if (!step.quantizes_input) return step.step->Run(arguments);
  const auto start = std::chrono::steady_clock::now();
  step.step->Run(arguments);
  quantize_nanoseconds_ +=
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start)
          .count();
}

bool Session::RunChain(std::size_t index, absl::FunctionRef<bool()> stops) {
  const RowChain& chain = executable_->compiled().chains[index];
  const PlannedChain& planned = plan_.chains()[index];
  // By how many rows the data of values that are not local moves on.
  const auto move = [&](std::int64_t rows) {
    for (std::size_t i = 0; i < chain.values.size(); ++i) {
      if (chain.values[i].is_local) continue;
      data_[static_cast<std::size_t>(chain.values[i].value)] +=
          rows * static_cast<std::ptrdiff_t>(planned.row_byte_sizes[i]);
    }
  };
  for (std::int64_t row = 0; row < planned.num_rows; row += planned.block_rows) {
    const std::int64_t count = std::min(planned.block_rows, planned.num_rows - row);
    for (auto s = static_cast<std::size_t>(chain.first_step);
         s < static_cast<std::size_t>(chain.end_step); ++s) {
      if (stops()) return false;
      const PlannedStep& step = plan_.steps()[s];
      RunStep(s, count == planned.block_rows ? step.views : step.rest_views);
    }
    move(count);
  }
  move(-planned.num_rows);
  return true;
}

bool Session::RunChunk(std::span<const TensorView> inputs,
                       std::span<const MutableTensorView> outputs, std::int64_t first_row,
                       absl::FunctionRef<bool()> stops) {
  const CompiledGraph& graph = executable_->compiled();
  PlaceValues(inputs, outputs, first_row);
  std::size_t next_chain = 0;
  for (std::size_t s = 0; s < graph.steps.size();) {
    if (next_chain < graph.chains.size() &&
        static_cast<std::size_t>(graph.chains[next_chain].first_step) == s) {
      if (!RunChain(next_chain, stops)) return false;
      s = static_cast<std::size_t>(graph.chains[next_chain].end_step);
      ++next_chain;
      continue;
    }
    if (!IsInPlace(graph.steps[s].in_place, plan_.rows())) {
      if (stops()) return false;
      RunStep(s, plan_.steps()[s].views);
    }
    ++s;
  }
  for (const OutputCopy& copy : graph.output_copies) {
    const auto output = static_cast<std::size_t>(copy.output);
    std::memcpy(output_data_[output], data_[static_cast<std::size_t>(copy.value)],
                plan_.output_row_byte_sizes()[output] * static_cast<std::size_t>(plan_.rows()));
  }
  return true;
}

absl::Status Session::RunRagged(const RaggedBatch& batch, std::span<const TensorView> inputs,
                                std::span<const MutableTensorView> outputs, RowRange rows,
                                absl::FunctionRef<bool()> stops) {
  assert(executable_->may_be_ragged());
  assert(inputs.size() == input_data_.size() && outputs.size() == output_data_.size());
  assert(rows.first >= 0 && rows.count > 0 && rows.count <= batch.rows() - rows.first);
  if (ragged_ == nullptr) {
    ragged_ = std::make_unique<RaggedRun>(*executable_);
    ragged_batch_ = RaggedBatch(symbols_.size(), ragged_->max_stretches());
    ragged_views_.inputs.resize(inputs.size());
    ragged_inputs_.resize(inputs.size());
    ragged_views_.outputs.resize(outputs.size());
  }
  quantize_nanoseconds_ = 0;
  const std::int64_t end = rows.first + rows.count;
  for (std::int64_t row = rows.first; row < end; row += ragged_batch_.rows()) {
    RETURN_IF_ERROR(PlanRagged(batch, {.first = row, .count = end - row}));
    RETURN_IF_ERROR(RunRaggedBatch(batch, inputs, outputs, row, stops));
  }
  return absl::OkStatus();
}

absl::Status Session::PlanRagged(const RaggedBatch& batch, RowRange rows) {
  rows.count = std::min(rows.count, executable_->max_rows());
  while (true) {
    ragged_batch_.Assign(batch, rows, ragged_->max_stretches());
    if (ragged_batch_.size() == 1) return absl::OkStatus();
    const absl::Status status = ragged_->Plan(ragged_batch_);
    if (!absl::IsResourceExhausted(status)) return status;
    rows.count = (ragged_batch_.rows() + 1) / 2;
  }
}

absl::Status Session::RunRaggedBatch(const RaggedBatch& batch, std::span<const TensorView> inputs,
                                     std::span<const MutableTensorView> outputs,
                                     std::int64_t first_row, absl::FunctionRef<bool()> stops) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t offset = PackedOffset(batch, executable_->inputs()[i].type, first_row);
    ragged_views_.inputs[i] = inputs[i];
    ragged_views_.inputs[i].data = inputs[i].as<std::byte>() + offset;
    ragged_inputs_[i] = inputs[i].as<std::byte>() + offset;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::size_t offset = PackedOffset(batch, executable_->outputs()[i].type, first_row);
    ragged_views_.outputs[i] = outputs[i];
    ragged_views_.outputs[i].data = outputs[i].as<std::byte>() + offset;
    output_data_[i] = outputs[i].as<std::byte>() + offset;
  }
  if (ragged_batch_.size() == 1) return RunOneStretch(stops);
  arena_.Reserve(ragged_->arena_byte_size());
  if (!ragged_->Run(arena_.bytes(), ragged_inputs_, output_data_, stops)) {
    return absl::CancelledError();
  }
  quantize_nanoseconds_ += ragged_->quantize_nanoseconds();
  return absl::OkStatus();
}

absl::Status Session::RunOneStretch(absl::FunctionRef<bool()> stops) {
  std::ranges::copy(ragged_batch_[0], symbols_.begin());
  RETURN_IF_ERROR(ReserveArena());
  return RunBound(ragged_views_.inputs, ragged_views_.outputs,
                  {.first = 0, .count = ragged_batch_.rows()}, stops);
}

}  // namespace octet
