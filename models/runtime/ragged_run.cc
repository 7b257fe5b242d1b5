// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/ragged_run.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace octet {

RaggedRun::RaggedRun(const Executable& executable)
    : graph_(executable.compiled()),
      plan_(executable),
      data_(graph_.values.size()),
      views_(graph_) {}

void RaggedRun::PlaceValues(std::span<std::byte> arena, std::span<const std::byte* const> inputs,
                            std::span<std::byte* const> outputs) {
  for (std::size_t i = 0; i < data_.size(); ++i) {
    const CompiledValue& value = graph_.values[i];
    const auto index = static_cast<std::size_t>(value.index);
    switch (value.storage) {
      case Storage::kUnused:
      case Storage::kSubview:
        break;
      case Storage::kConstant:
        // Steps only read their inputs; the views of inputs are const again.
        data_[i] = const_cast<std::byte*>(value.constant->bytes().data());
        break;
      case Storage::kInput:
        data_[i] = const_cast<std::byte*>(inputs[index]);
        break;
      case Storage::kOutput:
        data_[i] = outputs[index];
        break;
      case Storage::kArena:
        data_[i] = arena.data() + plan_.slot_offset(graph_.slots[index]);
        break;
    }
  }
}

bool RaggedRun::Run(std::span<std::byte> arena, std::span<const std::byte* const> inputs,
                    std::span<std::byte* const> outputs, absl::FunctionRef<bool()> stops) {
  quantize_nanoseconds_ = 0;
  scratch_ = arena.subspan(plan_.scratch_offset(), plan_.scratch_byte_size());
  PlaceValues(arena, inputs, outputs);
  std::size_t next_chain = 0;
  for (std::size_t s = 0; s < graph_.steps.size();) {
    if (next_chain < graph_.chains.size() &&
        static_cast<std::size_t>(graph_.chains[next_chain].first_step) == s) {
      if (!RunChain(next_chain, stops)) return false;
      s = static_cast<std::size_t>(graph_.chains[next_chain].end_step);
      ++next_chain;
      continue;
    }
    if (!RunStep(s, stops)) return false;
    ++s;
  }
  for (const OutputCopy& copy : graph_.output_copies) {
    std::memcpy(outputs[static_cast<std::size_t>(copy.output)], DataOf(copy.value, {}),
                plan_.packed_byte_size(copy.value));
  }
  return true;
}

bool RaggedRun::RunStep(std::size_t index, absl::FunctionRef<bool()> stops) {
  const CompiledStep& step = graph_.steps[index];
  if (step.in_place == InPlace::kAlways) return true;
  if (step.position_dims > 0) {
    if (stops()) return false;
    RunScope(index, {.num_row_dims = step.position_dims, .count = plan_.num_positions(index)});
    return true;
  }
  for (std::size_t stretch = 0; stretch < plan_.num_stretches(); ++stretch) {
    if (stops()) return false;
    RunScope(index, {.stretch = stretch});
  }
  return true;
}

bool RaggedRun::RunChain(std::size_t index, absl::FunctionRef<bool()> stops) {
  const RowChain& chain = graph_.chains[index];
  const std::size_t num_runs = plan_.is_merged_chain(index) ? 1 : plan_.num_stretches();
  for (std::size_t stretch = 0; stretch < num_runs; ++stretch) {
    const RaggedChain& rows = plan_.chain(index, stretch);
    for (std::int64_t row = 0; row < rows.num_rows; row += rows.block_rows) {
      const StepScope scope = {.stretch = stretch,
                               .num_row_dims = chain.num_row_dims,
                               .first = row,
                               .count = std::min(rows.block_rows, rows.num_rows - row)};
      for (std::int32_t s = chain.first_step; s < chain.end_step; ++s) {
        if (stops()) return false;
        RunScope(static_cast<std::size_t>(s), scope);
      }
    }
  }
  return true;
}

std::byte* RaggedRun::DataOf(std::int32_t value, const StepScope& scope) const {
  return data_[static_cast<std::size_t>(plan_.base(value))] + plan_.OffsetOf(value, scope);
}

void RaggedRun::RunScope(std::size_t index, const StepScope& scope) {
  const CompiledStep& step = graph_.steps[index];
  plan_.View(index, scope, views_);
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    const std::int32_t id = step.inputs[i];
    views_.views.inputs[i].data = id == kNoValue ? nullptr : DataOf(id, scope);
  }
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    views_.views.outputs[i].data = DataOf(step.outputs[i], scope);
  }
  const StepArguments arguments{
      .inputs = std::span(views_.views.inputs).first(step.inputs.size()),
      .outputs = std::span(views_.views.outputs).first(step.outputs.size()),
      .scratch = scratch_,
      .input_pitches = {std::span(views_.input_pitches).first(step.inputs.size())},
      .output_pitches = {std::span(views_.output_pitches).first(step.outputs.size())}};
  if (!step.quantizes_input) return step.step->Run(arguments);
  const auto start = std::chrono::steady_clock::now();
  step.step->Run(arguments);
  quantize_nanoseconds_ +=
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start)
          .count();
}

}  // namespace octet
