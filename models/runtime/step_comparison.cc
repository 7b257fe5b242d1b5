// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/step_comparison.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/runtime/symbol_binding.h"
#include "models/runtime/tensor_comparison.h"

namespace octet {
namespace {

class StepComparison {
 public:
  StepComparison(const Executable& chosen, const Executable& reference, double tolerance)
      : chosen_(chosen.compiled()),
        reference_(reference.compiled()),
        max_byte_size_(chosen.options().max_arena_byte_size),
        tolerance_(tolerance) {}

  // `symbols` is what `inputs` bind.
  absl::Status Run(std::span<const Tensor> inputs, SymbolValues symbols) {
    RETURN_IF_ERROR(EvaluateDims(symbols));
    data_.resize(reference_.values.size(), nullptr);
    for (std::size_t i = 0; i < data_.size(); ++i) {
      const CompiledValue& value = reference_.values[i];
      if (value.constant) data_[i] = value.constant->bytes().data();
      if (value.storage == Storage::kInput) {
        data_[i] = inputs[static_cast<std::size_t>(value.index)].bytes().data();
      }
    }
    for (std::size_t s = 0; s < reference_.steps.size(); ++s) RETURN_IF_ERROR(RunStep(s));
    return absl::OkStatus();
  }

 private:
  absl::Status EvaluateDims(SymbolValues symbols) {
    for (const CompiledValue& value : reference_.values) {
      Dims dims;
      for (const Dim& dim : value.shape) dims.push_back(dim.Evaluate(symbols));
      RETURN_IF_ERROR(CheckedNumElements(dims).status());
      RETURN_IF_ERROR(CheckSize(value.constant ? 0 : ByteSize(value.data_type, dims)));
      dims_.push_back(std::move(dims));
    }
    return absl::OkStatus();
  }

  absl::Status CheckSize(std::size_t byte_size) const {
    if (byte_size <= max_byte_size_) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(
        "a step would need ", byte_size, " bytes, at most ", max_byte_size_, " are allowed"));
  }

  absl::Status RunStep(std::size_t index) {
    const CompiledStep& reference = reference_.steps[index];
    const CompiledStep& chosen = chosen_.steps[index];
    std::vector<TensorView> inputs;
    for (const std::int32_t id : reference.inputs) {
      inputs.push_back(id == kNoValue ? TensorView{} : View(id));
    }
    ASSIGN_OR_RETURN(std::vector<Tensor> wants, RunOne(*reference.step, inputs, reference.outputs));
    ASSIGN_OR_RETURN(const std::vector<Tensor> got,
                     RunOne(*chosen.step, inputs, reference.outputs));
    for (std::size_t i = 0; i < wants.size(); ++i) {
      const absl::Status status = CompareTensors(got[i].view(), wants[i].view(), tolerance_);
      if (!status.ok()) {
        return absl::Status(
            status.code(),
            absl::StrCat(reference.op, " \"", reference.node, "\" on ", chosen.step->kernel_name(),
                         " differs from ", reference.step->kernel_name(), ": output ", i, " ",
                         status.message()));
      }
    }
    for (std::size_t i = 0; i < wants.size(); ++i) Keep(reference.outputs[i], std::move(wants[i]));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Tensor>> RunOne(const Step& step, std::span<const TensorView> inputs,
                                             const std::vector<std::int32_t>& ids) const {
    std::vector<Tensor> outputs;
    std::vector<MutableTensorView> views;
    for (const std::int32_t id : ids) {
      const auto value = static_cast<std::size_t>(id);
      outputs.emplace_back(reference_.values[value].data_type, dims_[value]);
    }
    for (Tensor& output : outputs) views.push_back(output.mutable_view());
    const std::size_t scratch_byte_size = step.ScratchByteSize(inputs);
    RETURN_IF_ERROR(CheckSize(scratch_byte_size));
    Tensor scratch(DataType::kUint8, {static_cast<std::int64_t>(scratch_byte_size)});
    step.Run({.inputs = inputs, .outputs = views, .scratch = scratch.bytes()});
    return outputs;
  }

  // Every value that lies where `id` lies, under another shape, is made with it.
  void Keep(std::int32_t id, Tensor tensor) {
    const CompiledValue& made = reference_.values[static_cast<std::size_t>(id)];
    for (std::size_t i = 0; i < data_.size(); ++i) {
      const CompiledValue& value = reference_.values[i];
      if (value.storage == made.storage && value.index == made.index) {
        data_[i] = tensor.bytes().data();
      }
    }
    kept_.push_back(std::move(tensor));
  }

  [[nodiscard]] TensorView View(std::int32_t id) const {
    const auto value = static_cast<std::size_t>(id);
    return {reference_.values[value].data_type, dims_[value], data_[value]};
  }

  const CompiledGraph& chosen_;
  const CompiledGraph& reference_;
  const std::size_t max_byte_size_;
  const double tolerance_;
  std::vector<Dims> dims_;              // of each value
  std::vector<const std::byte*> data_;  // of each value, null until it is made
  std::vector<Tensor> kept_;
};

bool HaveSameSteps(const CompiledGraph& a, const CompiledGraph& b) {
  return a.values.size() == b.values.size() &&
         std::ranges::equal(a.steps, b.steps, [](const CompiledStep& x, const CompiledStep& y) {
           return x.node == y.node && x.op == y.op && x.inputs == y.inputs &&
                  x.outputs == y.outputs;
         });
}

}  // namespace

absl::Status CompareSteps(const Executable& chosen, const Executable& reference,
                          std::span<const Tensor> inputs, double tolerance) {
  if (!HaveSameSteps(chosen.compiled(), reference.compiled())) {
    return absl::InvalidArgumentError("the two executables were not compiled from one graph");
  }
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) views.push_back(input.view());
  std::vector<std::int64_t> symbols(reference.symbol_names().size());
  RETURN_IF_ERROR(BindSymbols(reference, views, symbols));
  return StepComparison(chosen, reference, tolerance).Run(inputs, symbols);
}

absl::Status CompareStepsWithReference(const Executable& chosen, const Graph& graph,
                                       const OperatorRegistry& operators,
                                       std::span<const Tensor> inputs, double tolerance) {
  const kernels::KernelSet* const reference = kernels::FindKernelSet("reference");
  assert(reference != nullptr);
  if (&chosen.kernel_set() == reference) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::shared_ptr<const Executable> executable,
                   Executable::Compile(graph, operators, *reference, chosen.options()));
  return CompareSteps(chosen, *executable, inputs, tolerance);
}

}  // namespace octet
