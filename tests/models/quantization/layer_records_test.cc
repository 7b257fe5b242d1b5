// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/layer_records.h"

#include <gtest/gtest.h>
#include <string>

#include "models/bundle/variable_order.h"
#include "models/graph/passes/fold_batch_normalization.h"
#include "models/quantization/weight_pass.h"
#include "tests/support/small_network.h"

namespace octet {
namespace {

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

TEST(LayerRecordsTest, WhatHasNoIntegerWeightStaysAsItIs) {
  const Bundle bundle = testing::SmallNetwork();
  const std::vector<Layer> layers = QuantizedLayers(bundle.layers, bundle.graph);
  ASSERT_EQ(layers.size(), bundle.layers.size());
  for (const Layer& layer : layers) EXPECT_EQ(layer.mode, "float");
}

}  // namespace
}  // namespace octet
