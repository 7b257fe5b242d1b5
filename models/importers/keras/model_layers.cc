// SPDX-License-Identifier: Apache-2.0
// Models inside of models, input layers, and layers that do nothing when a model serves.

#include "models/base/status_macros.h"
#include "models/importers/keras/model_translator.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

absl::StatusOr<std::vector<Operand>> TranslateIdentity(LayerCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1));
  return Single(call.inputs()[0].value);
}

absl::StatusOr<std::vector<Operand>> TranslateInput(LayerCall& call) {
  return call.Invalid("an input layer is not called");
}

}  // namespace

void AddModelLayers(LayerRegistry& registry) {
  registry.Add({"InputLayer", TranslateInput});
  registry.Add({"Sequential", TranslateNestedModel, MaskRule::kTranslator});
  registry.Add({"Functional", TranslateNestedModel, MaskRule::kTranslator});
  registry.Add({"Model", TranslateNestedModel, MaskRule::kTranslator});
  for (const char* const name :
       {"ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise",
        "Identity", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"}) {
    registry.Add({name, TranslateIdentity, MaskRule::kPass});
  }
  // Augmentations, which are for training alone.
  for (const char* const name : {"RandomBrightness", "RandomContrast", "RandomFlip",
                                 "RandomRotation", "RandomTranslation", "RandomZoom"}) {
    registry.Add({name, TranslateIdentity});
  }
}

}  // namespace octet::keras
