// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/step_comparison.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/runtime/step_runner.h"
#include "models/runtime/tensor_comparison.h"

namespace octet {
namespace {

// What `step` makes of `inputs`: tensors of the same types and shapes as `like`.
absl::StatusOr<std::vector<Tensor>> RunStep(const Step& step, std::span<const TensorView> inputs,
                                            std::span<const MutableTensorView> like,
                                            std::size_t max_byte_size) {
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> views;
  for (const MutableTensorView& view : like) {
    outputs.emplace_back(view.data_type, Dims(view.dims.begin(), view.dims.end()));
  }
  for (Tensor& output : outputs) views.push_back(output.mutable_view());
  const std::size_t scratch_byte_size = step.ScratchByteSize(inputs);
  if (scratch_byte_size > max_byte_size) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a step on ", step.kernel_name(), " would need ", scratch_byte_size,
                     " bytes, at most ", max_byte_size, " are allowed"));
  }
  Tensor scratch(DataType::kUint8, {static_cast<std::int64_t>(scratch_byte_size)});
  step.Run({.inputs = inputs, .outputs = views, .scratch = scratch.bytes()});
  return outputs;
}

// Step `index` of `chosen` with what `run`, of the reference, has made in it.
absl::Status CompareStep(const CompiledStep& chosen, const CompiledStep& reference,
                         const StepRunner& run, std::size_t index, std::size_t max_byte_size,
                         double tolerance) {
  ASSIGN_OR_RETURN(const std::vector<Tensor> got,
                   RunStep(*chosen.step, run.inputs(index), run.outputs(index), max_byte_size));
  const double allowed =
      chosen.step->is_exact() ? 0 : std::max(tolerance, chosen.step->reduced_tolerance());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const absl::Status status = CompareTensors(got[i].view(), run.outputs(index)[i], allowed);
    if (status.ok()) continue;
    return {status.code(),
            absl::StrCat(reference.op, " \"", reference.node, "\" on ", chosen.step->kernel_name(),
                         " differs from ", reference.step->kernel_name(), ": output ", i, " ",
                         status.message())};
  }
  return absl::OkStatus();
}

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
  ASSIGN_OR_RETURN(const auto run, StepRunner::Create(reference, inputs));
  for (std::size_t i = 0; i < run->num_steps(); ++i) {
    run->Run(i);
    RETURN_IF_ERROR(CompareStep(chosen.compiled().steps[i], reference.compiled().steps[i], *run, i,
                                chosen.options().max_arena_byte_size, tolerance));
  }
  return absl::OkStatus();
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
