// SPDX-License-Identifier: Apache-2.0
// A float network like one for digits, with random weights: convolution with batch normalization
// and relu, pooling, a depthwise convolution with a hard_sigmoid, a residual addition, a dense head
// with softmax.

#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "models/bundle/bundle.h"

namespace octet::testing {

class NetworkBuilder {
 public:
  explicit NetworkBuilder(std::uint32_t seed) : random_(seed) {}

  ValueId Activation(const std::string& name, Shape shape) {
    return Add({name, {DataType::kFloat32, std::move(shape), std::nullopt}, std::nullopt});
  }
  // Normally distributed around `mean`.
  ValueId Weight(const std::string& name, Dims dims, float deviation, float mean = 0.0F) {
    std::normal_distribution<float> normal(mean, deviation);
    std::vector<float> values(static_cast<std::size_t>(NumElements(dims)));
    for (float& value : values) value = normal(random_);
    const Shape shape = ToShape(dims);
    return Add({name,
                {DataType::kFloat32, shape, std::nullopt},
                ConstantTensor::Copy(DataType::kFloat32, std::move(dims), values)});
  }
  void AddNode(std::string name, std::string op, std::vector<ValueId> inputs, ValueId output,
               std::map<std::string, Attribute> attributes = {}) {
    graph.nodes.push_back(
        {std::move(name), std::move(op), std::move(inputs), {output}, std::move(attributes)});
  }

  Graph graph;

 private:
  ValueId Add(Value value) {
    graph.values.push_back(std::move(value));
    return static_cast<ValueId>(graph.values.size() - 1);
  }
  std::mt19937 random_;
};

inline const ConstantTensor& ConstantOf(const Graph& graph, ValueId id) {
  return *graph.values[static_cast<std::size_t>(id)].constant;
}

// A layer's record as an importer writes it.
inline Layer FloatLayer(const std::string& path, const std::string& layer_class,
                        std::vector<LayerVariable> variables) {
  return {path,
          layer_class,
          "",
          "float",
          "float32",
          "layers/" + path + "/vars",
          std::move(variables),
          std::nullopt,
          {}};
}

// image [rows, 8, 8, 1] to probabilities [rows, 10].
inline Bundle SmallNetwork() {
  NetworkBuilder net(11);
  const Dim rows(kRows);
  const auto text = [](const char* value) { return Attribute(std::string(value)); };
  const ValueId image = net.Activation("image", {rows, 8, 8, 1});
  const ValueId kernel = net.Weight("conv/kernel", {3, 3, 1, 8}, 0.5F);
  const ValueId conv = net.Activation("conv/out", {rows, 8, 8, 8});
  net.AddNode("conv", "Conv2d", {image, kernel}, conv, {{"padding", text("same")}});
  const ValueId gamma = net.Weight("norm/gamma", {8}, 0.2F, 1.0F);
  const ValueId beta = net.Weight("norm/beta", {8}, 0.2F);
  const ValueId mean = net.Weight("norm/moving_mean", {8}, 0.2F);
  const ValueId variance = net.Weight("norm/moving_variance", {8}, 0.05F, 1.0F);
  const ValueId normed = net.Activation("norm/out", {rows, 8, 8, 8});
  net.AddNode("norm", "BatchNormalization", {conv, gamma, beta, mean, variance}, normed);
  const ValueId active = net.Activation("relu/out", {rows, 8, 8, 8});
  net.AddNode("relu", "Activation", {normed}, active, {{"activation", text("relu")}});
  const ValueId pooled = net.Activation("pool/out", {rows, 4, 4, 8});
  const Attribute two = std::vector<std::int64_t>{2, 2};
  net.AddNode("pool", "MaxPool2d", {active}, pooled, {{"pool_size", two}, {"strides", two}});
  const ValueId depth_kernel = net.Weight("depth/kernel", {3, 3, 8, 1}, 0.3F);
  const ValueId depth_bias = net.Weight("depth/bias", {8}, 0.1F);
  const ValueId depth = net.Activation("depth/out", {rows, 4, 4, 8});
  net.AddNode("depth", "DepthwiseConv2d", {pooled, depth_kernel, kNoValue, depth_bias}, depth,
              {{"padding", text("same")}, {"activation", text("hard_sigmoid")}});
  const ValueId sum = net.Activation("add/out", {rows, 4, 4, 8});
  net.AddNode("add", "Add", {pooled, depth}, sum);
  const ValueId flat = net.Activation("flatten/out", {rows, 128});
  net.AddNode("flatten", "Reshape", {sum}, flat, {{"shape", std::vector<std::int64_t>{0, 128}}});
  const ValueId head_kernel = net.Weight("head/kernel", {128, 10}, 0.1F);
  const ValueId head_bias = net.Weight("head/bias", {10}, 0.1F);
  const ValueId probabilities = net.Activation("probabilities", {rows, 10});
  net.AddNode("head", "FullyConnected", {flat, head_kernel, kNoValue, kNoValue, head_bias},
              probabilities, {{"activation", text("softmax")}});
  net.graph.inputs = {image};
  net.graph.outputs = {probabilities};

  Bundle bundle;
  const auto variable = [&](const std::string& name, ValueId id) {
    return LayerVariable{name, ConstantOf(net.graph, id), ""};
  };
  bundle.layers = {
      FloatLayer("conv", "Conv2D", {variable("kernel", kernel)}),
      FloatLayer("norm", "BatchNormalization",
                 {variable("gamma", gamma), variable("beta", beta), variable("moving_mean", mean),
                  variable("moving_variance", variance)}),
      FloatLayer("depth", "DepthwiseConv2D",
                 {variable("kernel", depth_kernel), variable("bias", depth_bias)}),
      FloatLayer("head", "Dense", {variable("kernel", head_kernel), variable("bias", head_bias)})};
  bundle.graph = std::move(net.graph);
  bundle.source = {"keras", "3.16.0", std::string(64, '0')};
  bundle.precision = "fp32";
  return bundle;
}

// A sequence [rows, length, 1, 4] of any length from 5 to [rows, 1, 6]: two convolutions, a pool
// and the largest values.
inline Graph OpenSequenceNetwork() {
  NetworkBuilder net(12);
  net.graph.symbol_names = {"rows", "length"};
  const Dim rows(kRows);
  const Dim length(Symbol{1});
  const Dim shorter = length.Plus(-4).value();
  const Dim halved = length.Plus(-3).value().FloorDividedBy(2).value();
  using Ints = std::vector<std::int64_t>;
  const ValueId sequence = net.Activation("sequence", {rows, length, 1, 4});
  const ValueId kernel = net.Weight("conv/kernel", {3, 1, 4, 6}, 0.5F);
  const ValueId conv = net.Activation("conv/out", {rows, shorter, 1, 6});
  net.AddNode("conv", "Conv2d", {sequence, kernel}, conv, {{"dilations", Ints{2, 1}}});
  const ValueId depth_kernel = net.Weight("depth/kernel", {3, 1, 6, 1}, 0.3F);
  const ValueId depth = net.Activation("depth/out", {rows, shorter, 1, 6});
  net.AddNode("depth", "DepthwiseConv2d", {conv, depth_kernel}, depth,
              {{"padding", std::string("same")}});
  const ValueId pooled = net.Activation("pool/out", {rows, halved, 1, 6});
  net.AddNode(
      "pool", "MaxPool2d", {depth}, pooled,
      {{"pool_size", Ints{2, 1}}, {"strides", Ints{2, 1}}, {"padding", std::string("same")}});
  const ValueId largest = net.Activation("largest", {rows, 1, 6});
  net.AddNode("global", "Reduce", {pooled}, largest,
              {{"kind", std::string("max")}, {"axes", Ints{1}}});
  net.graph.inputs = {sequence};
  net.graph.outputs = {largest};
  return std::move(net.graph);
}

// Images for SmallNetwork, values from 0 to 1.
inline Tensor SmallImages(std::int64_t rows, std::uint32_t seed = 3) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  Tensor images(DataType::kFloat32, {rows, 8, 8, 1});
  for (float& value : images.as<float>()) value = uniform(random);
  return images;
}

}  // namespace octet::testing
