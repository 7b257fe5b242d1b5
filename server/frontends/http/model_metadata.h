// SPDX-License-Identifier: Apache-2.0
// A model's metadata as the protocol's JSON.

#pragma once

#include <string>
#include <vector>

#include "server/repository/model_version.h"

namespace octet {

// {"name", "versions", "platform", "inputs": [{"name", "datatype", "shape"}], "outputs"}; an open
// dimension is -1. `ready` holds every ready version, of this model and others.
std::string ModelMetadataJson(const ModelVersion& model, const std::vector<ModelHandle>& ready);

}  // namespace octet
