// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/reference_run.h"

#include <cstddef>
#include <memory>

#include "absl/status/status.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"

namespace octet {

absl::StatusOr<std::vector<Tensor>> RunOnReference(const Graph& graph,
                                                   const OperatorRegistry& operators,
                                                   std::span<const Tensor> inputs) {
  const kernels::KernelSet* const reference = kernels::FindKernelSet("reference");
  if (reference == nullptr) return absl::InternalError("no reference kernels");
  CompileOptions options;
  if (inputs.empty()) options.max_rows = 1;
  ASSIGN_OR_RETURN(const std::shared_ptr<const Executable> executable,
                   Executable::Compile(graph, operators, *reference, options));
  Arena arena;
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::Create(executable, arena));
  std::vector<TensorView> input_views;
  for (const Tensor& input : inputs) input_views.push_back(input.view());
  std::vector<Dims> dims;
  RETURN_IF_ERROR(session->OutputDims(input_views, dims));
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> output_views;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    outputs.emplace_back(executable->outputs()[i].type.data_type, dims[i]);
  }
  for (Tensor& output : outputs) output_views.push_back(output.mutable_view());
  RETURN_IF_ERROR(session->Run(input_views, output_views));
  return outputs;
}

}  // namespace octet
