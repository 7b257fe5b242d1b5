// SPDX-License-Identifier: Apache-2.0
// The layer classes that can be imported, by name.

#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/importers/keras/layer.h"

namespace octet::keras {

// What becomes of the mask of a layer's first input.
enum class MaskRule {
  kDrop,        // ends here, as in Keras for a layer without supports_masking
  kPass,        // goes on to all outputs
  kTranslator,  // the translator sets the masks of its outputs
};

// Appends the nodes for one call of a layer and returns its outputs.
using Translator = absl::StatusOr<std::vector<Operand>> (*)(LayerCall& call);

struct LayerClass {
  // "Dense"; "ops.Add" for a function of keras.ops; the registered name for a custom class:
  // "Custom>SimpleScale".
  std::string key;
  Translator translate;
  MaskRule mask = MaskRule::kDrop;
};

// Built by BuiltInLayerClasses(), extended by who has custom layers, then passed by reference.
class LayerRegistry {
 public:
  // Precondition: no class has the same key.
  void Add(LayerClass layer_class);
  // nullptr where there is none.
  [[nodiscard]] const LayerClass* Find(const std::string& key) const;
  // Of all classes, in order.
  [[nodiscard]] std::vector<std::string> Keys() const;

  // Translates one call and applies the mask rule.
  [[nodiscard]] absl::StatusOr<std::vector<Operand>> Call(LayerCall& call) const;

 private:
  std::map<std::string, LayerClass> classes_;
};

// All classes that we import, one line each.
LayerRegistry BuiltInLayerClasses();

}  // namespace octet::keras
