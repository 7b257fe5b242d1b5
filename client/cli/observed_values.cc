// SPDX-License-Identifier: Apache-2.0
#include "client/cli/observed_values.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/string_view.h"

#include "models/base/status_macros.h"
#include "models/graph/passes/passes.h"
#include "models/graph/verify.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"

namespace octet::cli {
namespace {

// "relu1" for the int8 value "relu1/int8", or "relu1/int8:2", that the quantizer made of it.
std::string RealName(const Value& value) {
  constexpr absl::string_view kSuffix = "/int8";
  if (!value.type.quantization) return value.name;
  const absl::string_view name = value.name;
  const std::size_t at = name.rfind(kSuffix);
  if (at == absl::string_view::npos || at == 0) return value.name;
  const absl::string_view rest = name.substr(at + kSuffix.size());
  const bool is_numbered =
      rest.size() > 1 && rest.front() == ':' &&
      std::all_of(rest.begin() + 1, rest.end(), [](char c) { return c >= '0' && c <= '9'; });
  return rest.empty() || is_numbered ? value.name.substr(0, at) : value.name;
}

// Whether an executable can have `type` as an output, and it stands for real numbers.
bool IsObservable(const TensorType& type) {
  const bool is_real = type.data_type == DataType::kFloat32 ||
                       (type.data_type == DataType::kInt8 && type.quantization.has_value());
  bool lies_in_rows = !type.shape.empty() && type.shape[0] == Dim(kRows);
  for (std::size_t i = 1; i < type.shape.size(); ++i) {
    lies_in_rows = lies_in_rows && (type.shape[i].is_constant() || type.shape[i].symbol() != kRows);
  }
  return is_real && lies_in_rows;
}

std::vector<float> RealElements(const Tensor& tensor, const TensorType& type) {
  if (type.data_type == DataType::kFloat32) {
    const auto elements = tensor.as<float>();
    return {elements.begin(), elements.end()};
  }
  std::vector<float> real;
  for (const std::int8_t element : tensor.as<std::int8_t>()) {
    real.push_back(type.quantization->scale.value *
                   static_cast<float>(element - type.quantization->zero_point.value));
  }
  return real;
}

// Makes every observable value of `graph` an output. Returns one entry for each, still without
// elements.
std::vector<ObservedValue> ExposeValues(Graph& graph) {
  std::vector<ObservedValue> values;
  std::vector<ValueId> exposed;
  std::set<std::string> names;
  for (const ValueId id : graph.inputs) {
    names.insert(graph.values[static_cast<std::size_t>(id)].name);
  }
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.outputs) {
      const Value& value = graph.values[static_cast<std::size_t>(id)];
      std::string name = RealName(value);
      if (!IsObservable(value.type) || !names.insert(name).second) continue;
      values.push_back({.name = std::move(name), .node = node.name, .op = node.op});
      exposed.push_back(id);
    }
  }
  if (!exposed.empty()) graph.outputs = std::move(exposed);
  return values;
}

absl::StatusOr<std::vector<Tensor>> RunAll(const std::shared_ptr<const Executable>& executable,
                                           const std::vector<Tensor>& inputs) {
  Arena arena;
  ASSIGN_OR_RETURN(const auto session, Session::Create(executable, arena));
  std::vector<TensorView> input_views;
  for (const Tensor& input : inputs) input_views.push_back(input.view());
  std::vector<Dims> dims;
  RETURN_IF_ERROR(session->OutputDims(input_views, dims));
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    outputs.emplace_back(executable->outputs()[i].type.data_type, dims[i]);
  }
  std::vector<MutableTensorView> output_views;
  for (Tensor& output : outputs) output_views.push_back(output.mutable_view());
  RETURN_IF_ERROR(session->Run(input_views, output_views));
  return outputs;
}

}  // namespace

absl::StatusOr<std::vector<ObservedValue>> ObserveValues(const Graph& graph,
                                                         const OperatorRegistry& operators,
                                                         const kernels::KernelSet& kernels,
                                                         const std::vector<Tensor>& inputs) {
  RETURN_IF_ERROR(VerifyGraph(graph, operators));
  Graph observed = graph;
  // Before the values become outputs: afterwards nothing could be folded or fused, and a node would
  // compute another value than it does when it serves.
  RunPasses(observed);
  std::vector<ObservedValue> values = ExposeValues(observed);
  if (values.empty()) return values;
  ASSIGN_OR_RETURN(const std::shared_ptr<const Executable> executable,
                   Executable::Compile(std::move(observed), operators, kernels));
  ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, RunAll(executable, inputs));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i].dims = outputs[i].dims();
    values[i].elements = RealElements(outputs[i], executable->outputs()[i].type);
  }
  return values;
}

}  // namespace octet::cli
