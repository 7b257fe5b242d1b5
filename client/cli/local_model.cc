// SPDX-License-Identifier: Apache-2.0
#include "client/cli/local_model.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/bundle/reader.h"
#include "models/operators/operators.h"
#include "models/runtime/self_test.h"

namespace octet::cli {

absl::StatusOr<const kernels::KernelSet*> ChooseKernelSet(const std::string& name) {
  const kernels::KernelSetSelection selection = kernels::SelectKernelSet(name.c_str());
  if (selection.set == nullptr) return absl::FailedPreconditionError(selection.error);
  return selection.set;
}

std::vector<InputSpecification> InputSpecifications(const Graph& graph) {
  std::vector<InputSpecification> inputs;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.values[static_cast<std::size_t>(id)];
    Dims dims;
    for (const Dim& dim : value.type.shape) dims.push_back(dim.is_constant() ? dim.value() : -1);
    inputs.push_back({.name = value.name, .data_type = value.type.data_type, .dims = dims});
  }
  return inputs;
}

absl::StatusOr<std::unique_ptr<LocalModel>> LocalModel::Load(const std::string& path,
                                                             const std::string& kernel_set,
                                                             const CompileOptions& compile) {
  ASSIGN_OR_RETURN(auto model, LoadUntested(path, kernel_set, compile));
  if (const absl::Status status = model->RunSelfTest(); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("\"", path, "\": ", status.message()));
  }
  return model;
}

absl::StatusOr<std::unique_ptr<LocalModel>> LocalModel::LoadUntested(
    const std::string& path, const std::string& kernel_set, const CompileOptions& compile) {
  ASSIGN_OR_RETURN(const kernels::KernelSet* const kernels, ChooseKernelSet(kernel_set));
  kernels::PrepareThread();
  std::unique_ptr<LocalModel> model(new LocalModel());
  model->operators_ = BuiltInOperators();
  ASSIGN_OR_RETURN(model->bundle_, ReadBundle(path));
  ASSIGN_OR_RETURN(model->executable_,
                   Executable::Compile(model->bundle_.graph, model->operators_, *kernels, compile));
  ASSIGN_OR_RETURN(model->session_, Session::Create(model->executable_, model->arena_));
  return model;
}

absl::Status LocalModel::RunSelfTest() {
  if (!bundle_.self_test.has_value()) return absl::OkStatus();
  const SelfTest& test = *bundle_.self_test;
  return RunWholeSelfTest(*session_, bundle_.graph, operators_, test.inputs, test.outputs,
                          test.tolerance);
}

absl::StatusOr<std::vector<Tensor>> LocalModel::Run(const std::vector<Tensor>& inputs) {
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) views.push_back(input.view());
  std::vector<Dims> dims;
  RETURN_IF_ERROR(session_->OutputDims(views, dims));
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> output_views;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    outputs.emplace_back(executable_->outputs()[i].type.data_type, dims[i]);
  }
  for (Tensor& output : outputs) output_views.push_back(output.mutable_view());
  RETURN_IF_ERROR(session_->Run(views, output_views));
  return outputs;
}

}  // namespace octet::cli
