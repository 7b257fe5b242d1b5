// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/layer_records.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/bundle/variable_order.h"
#include "models/graph/passes/fold_batch_normalization.h"
#include "models/operators/operators.h"
#include "models/quantization/graph_edit.h"
#include "models/quantization/quantize.h"
#include "models/quantization/weight_pass.h"
#include "tests/support/small_network.h"

namespace octet {
namespace {

using ::testing::ElementsAre;

std::vector<Layer> LayersIn(QuantizationMode mode) {
  Bundle bundle = testing::SmallNetwork();
  FoldBatchNormalization(bundle.graph);
  EXPECT_TRUE(QuantizeWeights(bundle.graph, mode).ok());
  return QuantizedLayers(bundle.layers, bundle.graph);
}

std::vector<std::string> Names(const Layer& layer) {
  std::vector<std::string> names;
  for (const LayerVariable& variable : layer.variables) names.push_back(variable.name);
  return names;
}

TEST(LayerRecordsTest, VariablesFollowTheSerializedOrder) {
  for (const QuantizationModeEntry& entry : QuantizationModes()) {
    if (entry.mode == QuantizationMode::kInt8Static) continue;
    const std::vector<Layer> layers = LayersIn(entry.mode);
    ASSERT_EQ(layers.size(), 3U);  // the batch normalization is folded away
    for (const Layer& layer : layers) {
      const absl::Status status = CheckLayer(layer, BuiltInLayerOrders());
      EXPECT_TRUE(status.ok()) << std::string(entry.name) << ": " << status;
      EXPECT_NE(layer.mode, "float") << layer.path;
    }
  }
}

TEST(LayerRecordsTest, DenseIsAsKerasStoresIt) {
  const Layer int8 = LayersIn(QuantizationMode::kInt8Dynamic).back();
  EXPECT_EQ(int8.mode, "int8");
  EXPECT_EQ(int8.dtype_policy, "int8_from_float32");
  EXPECT_EQ(Names(int8), (std::vector<std::string>{"kernel", "bias", "kernel_scale"}));
  EXPECT_EQ(int8.variables[2].scale_convention, "reciprocal");
  const Layer int4 = LayersIn(QuantizationMode::kInt4).back();
  EXPECT_EQ(int4.dtype_policy, "int4/128_from_float32");
  EXPECT_EQ(Names(int4),
            (std::vector<std::string>{"kernel", "bias", "kernel_scale", "kernel_zero", "g_idx"}));
  EXPECT_EQ(int4.variables[0].tensor.dims(), Dims({128, 5}));
  EXPECT_EQ(int4.packing->original_length, 10);
}

// image [rows, 6, 6, 3] to a SeparableConv2D with 5 channels, or a SeparableConv1D where it is a
// sequence [rows, 6, 1, 3].
Bundle SeparableNetwork(bool is_sequence) {
  testing::NetworkBuilder net(21);
  const std::int64_t width = is_sequence ? 1 : 6;
  const std::int64_t window = is_sequence ? 1 : 3;
  const ValueId image = net.Activation("image", {Dim(kRows), 6, width, 3});
  const ValueId depthwise = net.Weight("sep/depthwise_kernel", {3, window, 3, 2}, 0.5F);
  const ValueId between = net.Activation("between", {Dim(kRows), 4, is_sequence ? 1 : 4, 6});
  net.AddNode("sep/depthwise", "DepthwiseConv2d", {image, depthwise}, between);
  const ValueId pointwise = net.Weight("sep/pointwise_kernel", {1, 1, 6, 5}, 0.5F);
  const ValueId bias = net.Weight("sep/bias", {5}, 0.5F);
  const ValueId out = net.Activation("sep/out", {Dim(kRows), 4, is_sequence ? 1 : 4, 5});
  net.AddNode("sep", "Conv2d", {between, pointwise, kNoValue, bias}, out);
  net.graph.inputs = {image};
  net.graph.outputs = {out};
  Bundle bundle;
  const auto stored = [&](const std::string& name, ValueId id) {
    ConstantTensor tensor = testing::ConstantOf(net.graph, id);
    Dims dims = tensor.dims();
    if (is_sequence && dims.size() == 4) dims.erase(dims.begin() + 1);
    return LayerVariable{name, ConstantTensor::Copy(DataType::kFloat32, dims, tensor.bytes()), ""};
  };
  bundle.layers = {
      testing::FloatLayer("sep", is_sequence ? "SeparableConv1D" : "SeparableConv2D",
                          {stored("depthwise_kernel", depthwise),
                           stored("pointwise_kernel", pointwise), stored("bias", bias)})};
  bundle.graph = std::move(net.graph);
  bundle.precision = "fp32";
  return bundle;
}

// volume [rows, 4, 5, 6, 2] to a Conv3D with 3 channels.
Bundle VolumeNetwork() {
  testing::NetworkBuilder net(23);
  const ValueId volume = net.Activation("volume", {Dim(kRows), 4, 5, 6, 2});
  const ValueId kernel = net.Weight("conv/kernel", {2, 3, 3, 2, 3}, 0.5F);
  const ValueId bias = net.Weight("conv/bias", {3}, 0.5F);
  const ValueId out = net.Activation("conv/out", {Dim(kRows), 3, 3, 4, 3});
  net.AddNode("conv", "Conv3d", {volume, kernel, kNoValue, bias}, out);
  const ValueId pooled = net.Activation("pool/out", {Dim(kRows), 1, 1, 2, 3});
  net.AddNode("pool", "MaxPool3d", {out}, pooled,
              {{"pool_size", std::vector<std::int64_t>{3, 3, 2}},
               {"strides", std::vector<std::int64_t>{1, 1, 2}}});
  net.graph.inputs = {volume};
  net.graph.outputs = {pooled};
  Bundle bundle;
  bundle.layers = {testing::FloatLayer("conv", "Conv3D",
                                       {{"kernel", testing::ConstantOf(net.graph, kernel), ""},
                                        {"bias", testing::ConstantOf(net.graph, bias), ""}})};
  bundle.graph = std::move(net.graph);
  bundle.precision = "fp32";
  return bundle;
}

enum class Calls { kForward, kReverse, kBoth };

// A ReversibleEmbedding of 13 rows of 7: tokens [rows, 4], or vectors [rows, 4, 7] where it is only
// called in reverse.
Bundle EmbeddingNetwork(bool tied, Calls calls) {
  testing::NetworkBuilder net(22);
  const Dim rows(kRows);
  const ValueId table = net.Weight("emb/embeddings", {13, 7}, 1.0F);
  const ValueId reversed = net.Weight("emb/reverse_embeddings", {7, 13}, 1.0F);
  ValueId vectors = net.Activation("vectors", {rows, 4, 7});
  net.graph.inputs = {vectors};
  if (calls != Calls::kReverse) {
    const ValueId tokens = net.Activation("tokens", {rows, 4});
    net.graph.values[static_cast<std::size_t>(tokens)].type.data_type = DataType::kInt32;
    net.AddNode("emb", "Gather", {tokens, table}, vectors);
    net.graph.inputs = {tokens};
  }
  net.graph.outputs = {vectors};
  if (calls != Calls::kForward) {
    const ValueId logits = net.Activation("logits", {rows, 4, 13});
    net.AddNode("emb/reverse", "FullyConnected", {vectors, tied ? table : reversed}, logits,
                {{"transpose_weight", std::int64_t{tied ? 1 : 0}}});
    net.graph.outputs = {logits};
  }
  Bundle bundle;
  bundle.layers = {testing::FloatLayer(
      "emb", "ReversibleEmbedding", {{"embeddings", testing::ConstantOf(net.graph, table), ""}})};
  if (!tied) {
    bundle.layers[0].variables.push_back(
        {"reverse_embeddings", testing::ConstantOf(net.graph, reversed), ""});
  }
  RemoveUnusedValues(net.graph);
  bundle.graph = std::move(net.graph);
  bundle.precision = "fp32";
  return bundle;
}

Bundle Quantized(const Bundle& bundle, QuantizationMode mode) {
  Dims dims = {8};
  const TensorType& type =
      bundle.graph.values[static_cast<std::size_t>(bundle.graph.inputs[0])].type;
  for (std::size_t i = 1; i < type.shape.size(); ++i) dims.push_back(type.shape[i].value());
  std::vector<Tensor> samples;
  samples.emplace_back(type.data_type, dims);
  for (std::size_t i = 0; i < static_cast<std::size_t>(NumElements(dims)); ++i) {
    if (type.data_type == DataType::kInt32) {
      samples[0].as<std::int32_t>()[i] = static_cast<std::int32_t>(i % 13);
    } else {
      samples[0].as<float>()[i] = static_cast<float>(i % 19) / 10.0F - 0.9F;
    }
  }
  auto quantized = Quantize(bundle, BuiltInOperators(), {.mode = mode, .calibration = samples});
  EXPECT_TRUE(quantized.ok()) << quantized.status();
  return quantized.ok() ? *std::move(quantized) : Bundle{};
}

// The layer that `node` belongs to: the path is the node's name or what it begins with.
const Layer* LayerOf(const Bundle& bundle, const Node& node) {
  for (const Layer& layer : bundle.layers) {
    if (node.name == layer.path || absl::StartsWith(node.name, layer.path + "/")) return &layer;
  }
  return nullptr;
}

bool Lists(const Layer& layer, const ConstantTensor& weight) {
  return std::any_of(layer.variables.begin(), layer.variables.end(), [&](const auto& variable) {
    return std::ranges::equal(variable.tensor.bytes(), weight.bytes());
  });
}

// No record says float of a layer whose node holds integers, and all follow their orders.
void ExpectRecordsOfIntegers(const Bundle& bundle) {
  std::size_t num_integer_weights = 0;
  for (const Node& node : bundle.graph.nodes) {
    if (!node.HasInput(2)) continue;
    const std::optional<ConstantTensor>& weight =
        bundle.graph.values[static_cast<std::size_t>(node.inputs[1])].constant;
    if (!weight.has_value() || BitWidth(weight->data_type()) > 8) continue;
    ++num_integer_weights;
    const Layer* const layer = LayerOf(bundle, node);
    ASSERT_NE(layer, nullptr) << node.name;
    EXPECT_NE(layer->mode, "float") << node.name;
    const absl::Status status = CheckLayer(*layer, BuiltInLayerOrders());
    EXPECT_TRUE(status.ok()) << status;
    // Bytes of a reversed int4 table are packed along its other axis in the record.
    const bool is_repacked =
        weight->data_type() == DataType::kInt4 && absl::EndsWith(node.name, "/reverse");
    EXPECT_TRUE(is_repacked || Lists(*layer, *weight)) << node.name;
  }
  EXPECT_GT(num_integer_weights, 0U);
}

TEST(LayerRecordsTest, NoRecordStaysFloatWhoseNodeHasAnIntegerWeight) {
  std::vector<Bundle> bundles;
  bundles.push_back(SeparableNetwork(false));
  bundles.push_back(SeparableNetwork(true));
  bundles.push_back(VolumeNetwork());
  for (const bool tied : {true, false}) {
    for (const Calls calls : {Calls::kForward, Calls::kReverse, Calls::kBoth}) {
      bundles.push_back(EmbeddingNetwork(tied, calls));
    }
  }
  for (std::size_t i = 0; i < bundles.size(); ++i) {
    for (const QuantizationModeEntry& entry : QuantizationModes()) {
      SCOPED_TRACE(absl::StrCat("network ", i, " in ", entry.name));
      ExpectRecordsOfIntegers(Quantized(bundles[i], entry.mode));
    }
  }
}

TEST(LayerRecordsTest, ASeparableConvolutionHasAScaleForEachKernel) {
  const Bundle source = SeparableNetwork(true);
  const Layer dynamic = Quantized(source, QuantizationMode::kInt8Dynamic).layers[0];
  EXPECT_EQ(dynamic.mode, "int8");
  EXPECT_EQ(dynamic.dtype_policy, "int8_from_float32");
  EXPECT_EQ(dynamic.config.at("activation_quantization"), "dynamic");
  EXPECT_THAT(Names(dynamic), ElementsAre("depthwise_kernel", "pointwise_kernel", "bias",
                                          "depthwise_kernel_scale", "pointwise_kernel_scale"));
  EXPECT_EQ(dynamic.variables[0].tensor.dims(), Dims({3, 3, 2}));  // as Keras keeps sequences'
  EXPECT_EQ(dynamic.variables[3].tensor.dims(), Dims({6}));
  const Layer fixed = Quantized(source, QuantizationMode::kInt8Static).layers[0];
  EXPECT_EQ(fixed.mode, "int8_static");
  EXPECT_EQ(fixed.variables[2].tensor.data_type(), DataType::kInt32);
  EXPECT_EQ(fixed.variables[4].scale_convention, "multiply");
}

// An EinsumDense over all columns, or one whose bias is added behind the product.
Bundle EinsumNetwork(bool own_bias) {
  testing::NetworkBuilder net(23);
  const Dim rows(kRows);
  const ValueId x = net.Activation("x", {rows, 6});
  const ValueId kernel = net.Weight("e/kernel", {6, 4}, 0.5F);
  const ValueId bias = net.Weight("e/bias", {4}, 0.5F);
  const ValueId y = net.Activation("y", {rows, 4});
  if (own_bias) {
    net.AddNode("e", "FullyConnected", {x, kernel, kNoValue, kNoValue, bias}, y);
  } else {
    const ValueId product = net.Activation("product", {rows, 4});
    net.AddNode("e", "FullyConnected", {x, kernel}, product);
    net.AddNode("e/add_bias", "Add", {product, bias}, y);
  }
  net.graph.inputs = {x};
  net.graph.outputs = {y};
  Bundle bundle;
  bundle.layers = {testing::FloatLayer("e", "EinsumDense",
                                       {{"kernel", testing::ConstantOf(net.graph, kernel), ""},
                                        {"bias", testing::ConstantOf(net.graph, bias), ""}})};
  bundle.graph = std::move(net.graph);
  bundle.precision = "fp32";
  return bundle;
}

TEST(LayerRecordsTest, AnEinsumDenseKeepsItsBiasWhereverItIsAdded) {
  for (const bool own_bias : {true, false}) {
    for (const QuantizationModeEntry& entry : QuantizationModes()) {
      const Bundle bundle = Quantized(EinsumNetwork(own_bias), entry.mode);
      ExpectRecordsOfIntegers(bundle);
      const std::vector<std::string> names = Names(bundle.layers[0]);
      EXPECT_EQ(std::count(names.begin(), names.end(), "bias"), 1) << std::string(entry.name);
      const bool is_static = entry.mode == QuantizationMode::kInt8Static;
      EXPECT_EQ(bundle.layers[0].variables[1].tensor.data_type(),
                is_static && own_bias ? DataType::kInt32 : DataType::kFloat32);
    }
  }
}

TEST(LayerRecordsTest, ATiedEmbeddingIsOneTable) {
  for (const QuantizationMode mode : {QuantizationMode::kInt8Dynamic, QuantizationMode::kInt4}) {
    const Bundle bundle = Quantized(EmbeddingNetwork(true, Calls::kBoth), mode);
    const Layer& layer = bundle.layers[0];
    EXPECT_THAT(Names(layer), ElementsAre("embeddings", "embeddings_scale"));
    ASSERT_EQ(bundle.graph.nodes.size(), 2U);
    EXPECT_EQ(bundle.graph.nodes[0].inputs[1], bundle.graph.nodes[1].inputs[1]);
    EXPECT_EQ(layer.config.at("activation_quantization"),
              mode == QuantizationMode::kInt8Dynamic ? "dynamic" : "none");
  }
}

TEST(LayerRecordsTest, AnUntiedEmbeddingIsAsKerasStoresIt) {
  const Layer int8 =
      Quantized(EmbeddingNetwork(false, Calls::kBoth), QuantizationMode::kInt8Dynamic).layers[0];
  EXPECT_THAT(Names(int8), ElementsAre("embeddings", "embeddings_scale", "reverse_embeddings",
                                       "reverse_embeddings_scale"));
  const Bundle bundle = Quantized(EmbeddingNetwork(false, Calls::kBoth), QuantizationMode::kInt4);
  const Layer& int4 = bundle.layers[0];
  EXPECT_THAT(Names(int4),
              ElementsAre("embeddings", "embeddings_scale", "reverse_embeddings",
                          "reverse_embeddings_scale", "reverse_embeddings_zero", "g_idx"));
  ASSERT_TRUE(int4.packing.has_value());
  EXPECT_EQ(int4.packing->original_length, 7);
  // Element [5, 12] lies in the high nibble of byte [2, 12]; in the graph, 13 of them make 7 bytes.
  ASSERT_EQ(int4.variables[2].tensor.dims(), Dims({4, 13}));
  const ConstantTensor& in_graph =
      testing::ConstantOf(bundle.graph, bundle.graph.nodes[1].inputs[1]);
  ASSERT_EQ(in_graph.dims(), Dims({7, 13}));
  EXPECT_EQ(int4.variables[2].tensor.bytes()[2 * 13 + 12] >> 4,
            in_graph.bytes()[5 * 7 + 6] & std::byte{0xf});
}

TEST(LayerRecordsTest, WhatHasNoIntegerWeightStaysAsItIs) {
  const Bundle bundle = testing::SmallNetwork();
  const std::vector<Layer> layers = QuantizedLayers(bundle.layers, bundle.graph);
  ASSERT_EQ(layers.size(), bundle.layers.size());
  for (const Layer& layer : layers) EXPECT_EQ(layer.mode, "float");
}

}  // namespace
}  // namespace octet
