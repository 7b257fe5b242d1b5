// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/self_test.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/runtime/step_comparison.h"
#include "models/runtime/tensor_comparison.h"
#include "models/tensor/data_type.h"
#include "models/tensor/shape.h"

namespace octet {
namespace {

// Whether a step of `graph` computes with integers.
bool IsQuantized(const Graph& graph) {
  return std::ranges::any_of(graph.values, [](const Value& value) {
    return value.type.quantization.has_value() ||
           (value.constant && BitWidth(value.type.data_type) <= 8 &&
            value.type.data_type != DataType::kBool);
  });
}

bool HasReducedSteps(const Executable& executable) {
  return std::ranges::any_of(executable.compiled().steps, [](const CompiledStep& step) {
    return step.step->reduced_tolerance() > 0;
  });
}

// RunSelfTest with an attention in float32, and all else as `session` has it.
absl::Status RunFloat32SelfTest(const Session& session, const Graph& graph,
                                const OperatorRegistry& operators, std::span<const Tensor> inputs,
                                std::span<const Tensor> expected, double tolerance) {
  const Executable& reduced = session.executable();
  CompileOptions options = reduced.options();
  options.attention_precision = AttentionPrecision::kFloat32;
  ASSIGN_OR_RETURN(auto executable,
                   Executable::Compile(graph, operators, reduced.kernel_set(), options));
  Arena arena;
  ASSIGN_OR_RETURN(const auto float32, Session::Create(std::move(executable), arena));
  return RunSelfTest(*float32, inputs, expected, tolerance);
}

// Of a step that is given what the reference's is given.
constexpr double kMostStepTolerance = 1e-2;

}  // namespace

absl::Status RunSelfTest(Session& session, std::span<const Tensor> inputs,
                         std::span<const Tensor> expected, double tolerance) {
  const Executable& executable = session.executable();
  const std::vector<TensorSignature>& signature = executable.outputs();
  if (inputs.size() != executable.inputs().size() || expected.size() != signature.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "self-test: has ", inputs.size(), " inputs and ", expected.size(), " outputs, the model ",
        executable.inputs().size(), " and ", signature.size()));
  }
  std::vector<TensorView> views;
  views.reserve(inputs.size());
  for (const Tensor& input : inputs) views.push_back(input.view());
  std::vector<Dims> dims;
  RETURN_IF_ERROR(session.OutputDims(views, dims));

  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> output_views;
  outputs.reserve(signature.size());
  for (std::size_t i = 0; i < signature.size(); ++i) {
    const DataType type = signature[i].type.data_type;
    if (expected[i].data_type() != type || expected[i].dims() != dims[i]) {
      return absl::InvalidArgumentError(
          absl::StrCat("self-test: output \"", signature[i].name, "\" is stored as ",
                       DataTypeName(expected[i].data_type()), " ", ToString(expected[i].dims()),
                       ", the model gives ", DataTypeName(type), " ", ToString(dims[i])));
    }
    outputs.emplace_back(type, dims[i]);
    output_views.push_back(outputs.back().mutable_view());
  }
  RETURN_IF_ERROR(session.Run(views, output_views));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const absl::Status status = CompareAnswers(outputs[i].view(), expected[i].view(), tolerance);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat("self-test: output \"", signature[i].name,
                                                      "\" ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status RunWholeSelfTest(Session& session, const Graph& graph,
                              const OperatorRegistry& operators, std::span<const Tensor> inputs,
                              std::span<const Tensor> expected, double tolerance) {
  const bool is_reduced = HasReducedSteps(session.executable());
  if (is_reduced) {
    RETURN_IF_ERROR(RunFloat32SelfTest(session, graph, operators, inputs, expected, tolerance));
  } else {
    RETURN_IF_ERROR(RunSelfTest(session, inputs, expected, tolerance));
  }
  if (!is_reduced && !IsQuantized(graph)) return absl::OkStatus();
  // A step by itself adds up nothing of the steps before it.
  absl::Status status = CompareStepsWithReference(session.executable(), graph, operators, inputs,
                                                  std::min(tolerance, kMostStepTolerance));
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("self-test: ", status.message()));
}

}  // namespace octet
