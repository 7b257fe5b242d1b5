// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/layer_registry.h"

#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

void LayerRegistry::Add(LayerClass layer_class) {
  std::string key = layer_class.key;
  classes_.emplace(std::move(key), std::move(layer_class));
}

const LayerClass* LayerRegistry::Find(const std::string& key) const {
  const auto found = classes_.find(key);
  return found == classes_.end() ? nullptr : &found->second;
}

std::vector<std::string> LayerRegistry::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, layer_class] : classes_) keys.push_back(key);
  return keys;
}

absl::StatusOr<std::vector<Operand>> LayerRegistry::Call(LayerCall& call) const {
  const LayerClass* const layer_class = Find(call.layer().key);
  if (layer_class == nullptr) return call.Unimplemented("this class cannot be imported");
  ASSIGN_OR_RETURN(std::vector<Operand> outputs, layer_class->translate(call));
  if (layer_class->mask != MaskRule::kTranslator) {
    const ValueId mask = layer_class->mask == MaskRule::kPass ? call.Mask() : kNoValue;
    for (Operand& output : outputs) output.mask = mask;
  }
  return outputs;
}

LayerRegistry BuiltInLayerClasses() {
  LayerRegistry registry;
  AddActivationLayers(registry);
  AddAttentionLayers(registry);
  AddConvolutionLayers(registry);
  AddCustomLayers(registry);
  AddDenseLayers(registry);
  AddEmbeddingLayers(registry);
  AddFakeQuantizedLayers(registry);
  AddMergeLayers(registry);
  AddModelLayers(registry);
  AddNormalizationLayers(registry);
  AddOperations(registry);
  AddPoolingLayers(registry);
  AddRecurrentLayers(registry);
  AddShapeLayers(registry);
  AddShapeOperations(registry);
  return registry;
}

}  // namespace octet::keras
