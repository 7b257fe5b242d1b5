// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/self_test_vectors.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"

namespace octet {

namespace {

constexpr std::int64_t kMinRows = 4;
constexpr double kTolerance = 1e-4;
constexpr double kRoundingTolerance = 1e-2;

// Whether the graph rounds floats that it computed.
bool RoundsComputedFloats(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&graph](const Node& node) {
    const auto quantization = node.String("activation_quantization", "none");
    if (quantization.ok() && *quantization == "dynamic") return true;
    return node.op == "Quantize" && !node.inputs.empty() &&
           std::find(graph.inputs.begin(), graph.inputs.end(), node.inputs[0]) ==
               graph.inputs.end();
  });
}

}  // namespace

absl::StatusOr<SelfTest> MakeSelfTest(const Graph& graph, const OperatorRegistry& operators,
                                      std::vector<Tensor> inputs) {
  const kernels::KernelSet* const reference = kernels::FindKernelSet("reference");
  if (reference == nullptr) return absl::InternalError("no reference kernels");
  for (const Tensor& input : inputs) {
    if (input.dims().empty() || input.dims()[0] < kMinRows) {
      return absl::InvalidArgumentError(absl::StrCat("self-test input of shape ",
                                                     ToString(input.dims()), ", wants at least ",
                                                     kMinRows, " rows"));
    }
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const Executable> executable,
                   Executable::Compile(graph, operators, *reference));
  Arena arena;
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::Create(executable, arena));
  SelfTest test;
  test.inputs = std::move(inputs);
  test.tolerance = RoundsComputedFloats(graph) ? kRoundingTolerance : kTolerance;
  std::vector<TensorView> input_views;
  for (const Tensor& input : test.inputs) input_views.push_back(input.view());
  std::vector<Dims> dims;
  RETURN_IF_ERROR(session->OutputDims(input_views, dims));
  std::vector<MutableTensorView> output_views;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    test.outputs.emplace_back(executable->outputs()[i].type.data_type, dims[i]);
  }
  for (Tensor& output : test.outputs) output_views.push_back(output.mutable_view());
  RETURN_IF_ERROR(session->Run(input_views, output_views));
  return test;
}

}  // namespace octet
