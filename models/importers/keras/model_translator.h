// SPDX-License-Identifier: Apache-2.0
// Runs through a model's layers in the order of its computation.

#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/keras/layer.h"

namespace octet::keras {

// Translates the model `root` into nodes of `translation.graph`, with inputs and outputs, and
// returns the graph. Inputs are called as Keras's input layers, outputs as the output layers.
absl::StatusOr<Graph> TranslateModel(Translation& translation, const KerasLayer& root);

// Translates one call of a model or another layer inside of a model.
absl::StatusOr<std::vector<Operand>> CallLayer(Translation& translation, const KerasLayer& layer,
                                               std::vector<Argument> arguments,
                                               std::map<std::string, Argument> keywords);
// The same on tensors alone.
absl::StatusOr<std::vector<Operand>> CallLayer(Translation& translation, const KerasLayer& layer,
                                               const std::vector<Operand>& inputs);

// The translator of Sequential, Functional and Model.
absl::StatusOr<std::vector<Operand>> TranslateNestedModel(LayerCall& call);

}  // namespace octet::keras
