// SPDX-License-Identifier: Apache-2.0
// The lists of layer classes, one for each file of translators.

#pragma once

#include "models/importers/keras/layer_registry.h"

namespace octet::keras {

void AddActivationLayers(LayerRegistry& registry);     // activation_layers.cc
void AddAttentionLayers(LayerRegistry& registry);      // attention_layers.cc
void AddConvolutionLayers(LayerRegistry& registry);    // conv_layers.cc
void AddCustomLayers(LayerRegistry& registry);         // custom_layers.cc
void AddDenseLayers(LayerRegistry& registry);          // dense_layers.cc
void AddEmbeddingLayers(LayerRegistry& registry);      // embedding_layers.cc
void AddFakeQuantizedLayers(LayerRegistry& registry);  // fake_quantized_layers.cc
void AddMergeLayers(LayerRegistry& registry);          // merge_layers.cc
void AddModelLayers(LayerRegistry& registry);          // model_layers.cc
void AddNormalizationLayers(LayerRegistry& registry);  // normalization_layers.cc
void AddOperations(LayerRegistry& registry);           // ops_layers.cc
void AddPoolingLayers(LayerRegistry& registry);        // pooling_layers.cc
void AddRecurrentLayers(LayerRegistry& registry);      // recurrent_layers.cc
void AddShapeLayers(LayerRegistry& registry);          // shape_layers.cc
void AddShapeOperations(LayerRegistry& registry);      // ops_shape_layers.cc

// The outputs of most translators: one tensor without a mask.
inline std::vector<Operand> Single(ValueId value) { return {Operand{value, kNoValue}}; }

}  // namespace octet::keras
