// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/step_runner.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/runtime/symbol_binding.h"

namespace octet {

absl::StatusOr<std::unique_ptr<StepRunner>> StepRunner::Create(const Executable& executable,
                                                               std::span<const Tensor> inputs) {
  std::unique_ptr<StepRunner> runner(new StepRunner(executable));
  RETURN_IF_ERROR(runner->EvaluateDims(inputs));
  runner->PlaceValues(inputs);
  RETURN_IF_ERROR(runner->BindSteps());
  return runner;
}

absl::Status StepRunner::EvaluateDims(std::span<const Tensor> inputs) {
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) views.push_back(input.view());
  std::vector<std::int64_t> symbols(executable_.symbol_names().size());
  RETURN_IF_ERROR(BindSymbols(executable_, views, symbols));
  for (const CompiledValue& value : executable_.compiled().values) {
    Dims dims;
    for (const Dim& dim : value.shape) dims.push_back(dim.Evaluate(symbols));
    RETURN_IF_ERROR(CheckedNumElements(dims).status());
    RETURN_IF_ERROR(
        CheckSize(value.storage == Storage::kConstant ? 0 : ByteSize(value.data_type, dims)));
    dims_.push_back(std::move(dims));
  }
  return absl::OkStatus();
}

absl::Status StepRunner::CheckSize(std::size_t byte_size) const {
  const std::size_t limit = executable_.options().max_arena_byte_size;
  if (byte_size <= limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("a step would need ", byte_size, " bytes, at most ", limit, " are allowed"));
}

void StepRunner::PlaceValues(std::span<const Tensor> inputs) {
  const CompiledGraph& graph = executable_.compiled();
  data_.resize(graph.values.size(), nullptr);
  for (std::size_t i = 0; i < data_.size(); ++i) {
    const CompiledValue& value = graph.values[i];
    if (value.storage == Storage::kConstant) data_[i] = ConstantData(value);
    if (value.storage == Storage::kInput) {
      // As with constants.
      data_[i] =
          const_cast<std::byte*>(inputs[static_cast<std::size_t>(value.index)].bytes().data());
    }
  }
  std::map<std::pair<Storage, std::int32_t>, void*> made_at;
  for (const CompiledStep& step : graph.steps) {
    for (const std::int32_t id : step.outputs) {
      const CompiledValue& made = graph.values[static_cast<std::size_t>(id)];
      Tensor& tensor = made_.emplace_back(made.data_type, dims_[static_cast<std::size_t>(id)]);
      made_at[{made.storage, made.index}] = tensor.bytes().data();
    }
  }
  // Every value that lies where a step's output lies, under another shape, is made with it.
  for (std::size_t i = 0; i < data_.size(); ++i) {
    const auto made = made_at.find({graph.values[i].storage, graph.values[i].index});
    if (made != made_at.end()) data_[i] = made->second;
  }
}

absl::Status StepRunner::BindSteps() {
  const CompiledGraph& graph = executable_.compiled();
  std::size_t scratch_byte_size = 0;
  for (const CompiledStep& step : graph.steps) {
    BoundStep bound;
    for (const std::int32_t id : step.inputs) {
      const auto value = static_cast<std::size_t>(id);
      bound.inputs.push_back(
          id == kNoValue ? TensorView{}
                         : TensorView{graph.values[value].data_type, dims_[value], data_[value]});
    }
    for (const std::int32_t id : step.outputs) {
      const auto value = static_cast<std::size_t>(id);
      bound.outputs.push_back({graph.values[value].data_type, dims_[value], data_[value]});
    }
    RETURN_IF_ERROR(CheckStepInputs(step, bound.inputs));
    bound.scratch_byte_size = step.step->ScratchByteSize(bound.inputs);
    RETURN_IF_ERROR(CheckSize(bound.scratch_byte_size));
    scratch_byte_size = std::max(scratch_byte_size, bound.scratch_byte_size);
    steps_.push_back(std::move(bound));
  }
  scratch_ = Tensor(DataType::kUint8, {static_cast<std::int64_t>(scratch_byte_size)});
  return absl::OkStatus();
}

void StepRunner::Run(std::size_t index) {
  const BoundStep& bound = steps_[index];
  executable_.compiled().steps[index].step->Run(
      {.inputs = bound.inputs,
       .outputs = bound.outputs,
       .scratch = scratch_.bytes().first(bound.scratch_byte_size)});
}

}  // namespace octet
