// SPDX-License-Identifier: Apache-2.0
// config.json as a tree of layers.

#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/importers/config_view.h"
#include "models/importers/keras/layer.h"
#include "models/importers/keras/layer_registry.h"

namespace octet::keras {

// Builds the tree for the model in `root`, which must outlive it. Returns PERMISSION_DENIED where
// the model holds code (a Lambda layer, a function by name), UNIMPLEMENTED with every layer whose
// class the registry lacks, and INVALID_ARGUMENT for what is no Keras model.
absl::StatusOr<std::unique_ptr<KerasLayer>> BuildModel(const Json& root,
                                                       const LayerRegistry& registry);

// Keras's name for a class in HDF5 paths: "PReLU" is "p_re_lu".
std::string SnakeCase(absl::string_view class_name);

// Whether `layer` holds a list of layers: a Sequential or Functional model.
bool IsModel(const KerasLayer& layer);

}  // namespace octet::keras
