// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/engine/networks.h"

#include <utility>
#include <vector>

#include "client/cli/npy.h"
#include "tests/bench/engine/contender.h"

namespace octet::bench {
namespace {

TensorType Float(Shape shape) { return {DataType::kFloat32, std::move(shape), std::nullopt}; }

Graph FullyConnected(const Weights& weights, bool has_gelu) {
  Graph graph;
  const ConstantTensor w = weights.Get("w");
  const Dims& dims = w.dims();
  const ValueId x = graph.AddValue("x", Float({Dim(kRows), dims[0]}));
  const ValueId y = graph.AddValue("y", Float({Dim(kRows), dims[1]}));
  const ValueId kernel = graph.AddConstant("w", w);
  const ValueId bias = graph.AddConstant("b", weights.Get("b"));
  graph.inputs = {x};
  graph.outputs = {y};
  const ValueId sum = has_gelu ? graph.AddValue("sum", Float({Dim(kRows), dims[1]})) : y;
  graph.nodes.push_back(
      {"dense", "FullyConnected", {x, kernel, kNoValue, kNoValue, bias}, {sum}, {}});
  if (has_gelu) {
    graph.nodes.push_back(
        {"gelu", "Activation", {sum}, {y}, {{"activation", std::string("gelu")}}});
  }
  return graph;
}

}  // namespace

ConstantTensor Weights::Get(const std::string& name) const {
  const absl::StatusOr<Tensor> tensor = cli::ReadNpy(folder_ + "/" + name + ".npy");
  Require(tensor.status());
  return ConstantTensor::Copy(tensor->data_type(), tensor->dims(), tensor->bytes());
}

Graph MakeNetwork(const std::string& name, const Weights& weights) {
  if (name == "fully-connected") return FullyConnected(weights, false);
  if (name == "fully-connected-gelu") return FullyConnected(weights, true);
  Fail("there is no network \"" + name + "\"");
}

}  // namespace octet::bench
