// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/engine/networks.h"

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

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

// BERT's encoder, of vectors normalized after each sum (post-norm).
class Encoder {
 public:
  explicit Encoder(const Weights& weights) : weights_(weights) {}

  Graph Make() {
    const ConstantTensor tokens = weights_.Get("tokens");
    const ConstantTensor positions = weights_.Get("positions");
    width_ = tokens.dims()[1];
    length_ = positions.dims()[0];
    const ValueId ids =
        graph_.AddValue("ids", {DataType::kInt64, {Dim(kRows), length_}, std::nullopt});
    graph_.inputs = {ids};
    const ValueId words = Append("words", "Gather", {ids, graph_.AddConstant("tokens", tokens)});
    const ValueId places = graph_.AddConstant("positions", positions);
    ValueId x = Normalize("embedding", Append("embedded", "Add", {words, places}));
    for (int i = 0; weights_.Has(absl::StrCat("layer", i, ".query.w")); ++i) {
      x = Layer(absl::StrCat("layer", i, "."), x);
    }
    graph_.outputs = {x};
    return std::move(graph_);
  }

 private:
  static constexpr std::int64_t kHeads = 12;

  ValueId Append(const std::string& name, const std::string& op, std::vector<ValueId> inputs,
                 Shape shape, std::map<std::string, Attribute> attributes = {}) {
    const ValueId out = graph_.AddValue(name, Float(std::move(shape)));
    graph_.nodes.push_back({name, op, std::move(inputs), {out}, std::move(attributes)});
    return out;
  }
  ValueId Append(const std::string& name, const std::string& op, std::vector<ValueId> inputs) {
    return Append(name, op, std::move(inputs), {Dim(kRows), length_, width_});
  }

  ValueId Constant(const std::string& name) { return graph_.AddConstant(name, weights_.Get(name)); }

  ValueId Normalize(const std::string& name, ValueId x) {
    return Append(name + ".norm", "LayerNormalization",
                  {x, Constant(name + ".gamma"), Constant(name + ".beta")},
                  {Dim(kRows), length_, width_}, {{"epsilon", 1e-12}});
  }

  ValueId Dense(const std::string& name, ValueId x) {
    const ConstantTensor w = weights_.Get(name + ".w");
    const std::int64_t width = w.dims()[1];
    return Append(
        name, "FullyConnected",
        {x, graph_.AddConstant(name + ".w", w), kNoValue, kNoValue, Constant(name + ".b")},
        {Dim(kRows), length_, width});
  }

  // [rows, length, width] as [rows, length, heads, width of a head], its dimensions permuted.
  ValueId Heads(const std::string& name, ValueId x, const std::vector<std::int64_t>& permutation) {
    const std::int64_t head_width = width_ / kHeads;
    const Shape split = {Dim(kRows), length_, kHeads, head_width};
    const ValueId heads =
        Append(name + ".split", "Reshape", {x}, split,
               {{"shape", std::vector<std::int64_t>{0, length_, kHeads, head_width}}});
    Shape permuted;
    for (const std::int64_t axis : permutation) {
      permuted.push_back(split[static_cast<std::size_t>(axis)]);
    }
    return Append(name + ".heads", "Transpose", {heads}, permuted, {{"permutation", permutation}});
  }

  ValueId Attention(const std::string& layer, ValueId x) {
    const ValueId q = Heads(layer + "query", Dense(layer + "query", x), {0, 2, 1, 3});
    const ValueId k = Heads(layer + "key", Dense(layer + "key", x), {0, 2, 3, 1});
    const ValueId v = Heads(layer + "value", Dense(layer + "value", x), {0, 2, 1, 3});
    const std::int64_t head_width = width_ / kHeads;
    const float root = std::sqrt(static_cast<float>(head_width));
    const ValueId divisor = graph_.AddConstant(
        layer + "root", ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{root}));
    const Shape square = {Dim(kRows), kHeads, length_, length_};
    const ValueId product = Append(layer + "product", "MatMul", {q, k}, square);
    const ValueId scores = Append(layer + "scores", "Divide", {product, divisor}, square);
    const ValueId probabilities = Append(layer + "probabilities", "Softmax", {scores}, square);
    const ValueId context = Append(layer + "context", "MatMul", {probabilities, v},
                                   {Dim(kRows), kHeads, length_, head_width});
    const ValueId merged =
        Append(layer + "merged", "Transpose", {context}, {Dim(kRows), length_, kHeads, head_width},
               {{"permutation", std::vector<std::int64_t>{0, 2, 1, 3}}});
    return Append(layer + "attention", "Reshape", {merged}, {Dim(kRows), length_, width_},
                  {{"shape", std::vector<std::int64_t>{0, length_, width_}}});
  }

  ValueId Layer(const std::string& layer, ValueId x) {
    const ValueId attended = Dense(layer + "output", Attention(layer, x));
    const ValueId middle =
        Normalize(layer + "middle", Append(layer + "attended", "Add", {attended, x}));
    const ValueId wide = Dense(layer + "up", middle);
    const ValueId active = Append(layer + "gelu", "Activation", {wide},
                                  graph_.values[static_cast<std::size_t>(wide)].type.shape,
                                  {{"activation", std::string("gelu")}});
    const ValueId narrow = Dense(layer + "down", active);
    return Normalize(layer + "end", Append(layer + "fed", "Add", {narrow, middle}));
  }

  const Weights& weights_;
  Graph graph_;
  std::int64_t width_ = 0;
  std::int64_t length_ = 0;
};

}  // namespace

bool Weights::Has(const std::string& name) const {
  return std::filesystem::exists(folder_ + "/" + name + ".npy");
}

ConstantTensor Weights::Get(const std::string& name) const {
  const absl::StatusOr<Tensor> tensor = cli::ReadNpy(folder_ + "/" + name + ".npy");
  Require(tensor.status());
  return ConstantTensor::Copy(tensor->data_type(), tensor->dims(), tensor->bytes());
}

Graph MakeNetwork(const std::string& name, const Weights& weights) {
  if (name == "fully-connected") return FullyConnected(weights, false);
  if (name == "fully-connected-gelu") return FullyConnected(weights, true);
  if (name == "encoder") return Encoder(weights).Make();
  Fail("there is no network \"" + name + "\"");
}

}  // namespace octet::bench
