// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/constant_run.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/graph/verify.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operator_list.h"

namespace octet::onnx {

namespace {

// Of all nodes of a model that are run together, for each byte that constants may have: some
// seconds of the reference kernels with the limit for files that importers have by themselves.
constexpr double kMostWorkPerByte = 0.5;
// What making a graph of one node costs, however small it is.
constexpr double kWorkOfARun = 1e5;

// A graph of one node, and which of the node's outputs its outputs are.
struct NodeGraph {
  Graph graph;
  std::vector<std::size_t> outputs;
};

// The node of `call`, whose first `num_values` inputs are values, the others constants.
absl::StatusOr<NodeGraph> GraphOf(const NodeCall& call, std::size_t num_values,
                                  ExternalData& external, const OperatorRegistry& operators) {
  Translation alone(operators);
  alone.lead = 1;
  alone.max_folded_bytes = call.translation().max_folded_bytes;
  alone.folded_bytes = call.translation().folded_bytes;
  for (std::size_t i = 0; i < call.num_outputs(); ++i) {
    if (call.Wants(i)) ++alone.uses[call.node().outputs[i]];
  }
  std::vector<Operand> inputs = call.inputs();
  NodeCall translated(call.node(), call.opset(), inputs, alone, external);
  for (std::size_t i = 0; i < std::min(num_values, inputs.size()); ++i) {
    if (inputs[i].is_absent()) continue;
    const ConstantTensor constant = *inputs[i].constant();
    const std::string name = absl::StrCat(call.name(), "/input_", i);
    ASSIGN_OR_RETURN(
        const ValueId id,
        alone.graph.Emit("Constant", name, {alone.graph.AddConstant(name + "/value", constant)}));
    inputs[i].content = translated.FromValue(id, PlainOrder(constant.dims().size()));
  }
  ASSIGN_OR_RETURN(const std::vector<Operand> outputs,
                   FindOperator(call.node().domain, call.node().op_type)->translate(translated));
  RETURN_IF_ERROR(translated.CheckAttributes());
  NodeGraph result;
  std::vector<ValueId> ids;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Activation* const activation = outputs[i].activation();
    if (activation == nullptr || !call.Wants(i)) continue;
    ASSIGN_OR_RETURN(const ValueId id,
                     translated.InOrder(*activation, PlainOrder(activation->shape.size())));
    result.outputs.push_back(i);
    ids.push_back(id);
    names.push_back(call.node().outputs[i]);
  }
  if (ids.empty()) return call.Unimplemented("a constant that cannot be computed beforehand");
  ASSIGN_OR_RETURN(result.graph, alone.graph.Finish(ids, names));
  RETURN_IF_ERROR(VerifyGraph(result.graph, operators));
  return result;
}

// What a window of a node's covers of its first input, at the most.
double WindowSize(const Graph& graph, const Node& node) {
  const auto sizes = node.Ints("pool_size", {});
  if (!sizes.ok() || !node.HasInput(0)) return 1;
  double covered = 1;
  for (const std::int64_t size : *sizes) covered *= static_cast<double>(size);
  const Shape& shape = graph.values[static_cast<std::size_t>(node.inputs[0])].type.shape;
  return std::min(covered, ElementCount(ToDims(Shape(shape.begin() + 1, shape.end()))));
}

constexpr std::int64_t kOneRow[] = {1};

Dims DimsOf(const Graph& graph, ValueId id) {
  Dims dims;
  for (const Dim& dim : graph.values[static_cast<std::size_t>(id)].type.shape) {
    dims.push_back(dim.Evaluate(kOneRow));
  }
  return dims;
}

// Takes note of what running `graph` takes, before it is run.
absl::Status Reserve(const NodeCall& call, const Graph& graph, const OperatorRegistry& operators) {
  ASSIGN_OR_RETURN(const std::vector<ProductCount> products,
                   CountProducts(graph, operators, kOneRow));
  double work = kWorkOfARun + SumProducts(products).all;
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.outputs) {
      const Dims dims = DimsOf(graph, id);
      RETURN_IF_ERROR(ReserveConstant(call, dims));
      if (NumElements(dims) == 0) return call.Unimplemented("an empty tensor");
      work += ElementCount(dims) * WindowSize(graph, node);
    }
  }
  call.translation().constant_work += work;
  const double most = kMostWorkPerByte * static_cast<double>(call.translation().max_folded_bytes);
  if (call.translation().constant_work <= most) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      call.node().op_type, " \"", call.name(), "\": with it, computing constants takes ",
      call.translation().constant_work, " operations, wants at most ", most));
}

absl::StatusOr<std::vector<Tensor>> Answers(const NodeCall& call, const Graph& graph,
                                            const ImportOptions& options) {
  const bool has_elements =
      std::any_of(graph.outputs.begin(), graph.outputs.end(),
                  [&graph](ValueId id) { return NumElements(DimsOf(graph, id)) > 0; });
  if (has_elements) {
    RETURN_IF_ERROR(Reserve(call, graph, *options.operators));
    return options.run_graph(graph);
  }
  // Nothing is to be computed.
  std::vector<Tensor> tensors;
  for (const ValueId id : graph.outputs) {
    tensors.emplace_back(graph.values[static_cast<std::size_t>(id)].type.data_type,
                         DimsOf(graph, id));
  }
  return tensors;
}

}  // namespace

bool TakesConstants(const NodeCall& call) {
  const auto& inputs = call.inputs();
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const Operand& input) { return input.constant() != nullptr; }) &&
         std::all_of(inputs.begin(), inputs.end(), [](const Operand& input) {
           return input.is_absent() || input.constant() != nullptr;
         });
}

absl::StatusOr<std::vector<Operand>> RunOnConstants(const NodeCall& call, ExternalData& external,
                                                    const ImportOptions& options) {
  // Most weights must be constants; where that is not enough, nothing is one.
  absl::StatusOr<NodeGraph> made = GraphOf(call, 1, external, *options.operators);
  if (!made.ok() && !absl::IsResourceExhausted(made.status())) {
    absl::StatusOr<NodeGraph> other =
        GraphOf(call, call.num_inputs(), external, *options.operators);
    if (other.ok()) made = std::move(other);
  }
  RETURN_IF_ERROR(made.status());
  ASSIGN_OR_RETURN(const std::vector<Tensor> tensors, Answers(call, made->graph, options));
  std::vector<Operand> outputs(call.num_outputs());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& tensor = tensors[i];
    Dims dims(tensor.dims().begin() + 1, tensor.dims().end());
    outputs[made->outputs[i]].content =
        ConstantTensor::Copy(tensor.data_type(), std::move(dims), tensor.bytes());
  }
  return outputs;
}

}  // namespace octet::onnx
