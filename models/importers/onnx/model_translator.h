// SPDX-License-Identifier: Apache-2.0
// Walks over the nodes of an ONNX graph and builds ours.

#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"

#include "models/bundle/bundle.h"
#include "models/importers/importer.h"
#include "models/importers/onnx/external_data.h"
#include "models/importers/onnx/model_proto.h"
#include "models/importers/quantized_constant.h"

namespace octet::onnx {

struct TranslatedModel {
  Graph graph;
  std::vector<Layer> layers;  // those with variables
};

// Translates `model`, which has a graph. Where each input's first dimension can be the batch it is,
// also where the file says how large it is; else the graph's tensors get a dimension more in front,
// and a row is one run of the whole model. So it is where an output is a constant, or there is no
// input at all.
//
// Returns INVALID_ARGUMENT for a graph that is wrong, and UNIMPLEMENTED naming every operator,
// attribute and type that cannot be imported, not only the first. `owner` keeps the bytes that
// `model` points into. `weights` take the places of the initializers of their names. Precondition:
// options.operators is given.
absl::StatusOr<TranslatedModel> TranslateModel(const ModelProto& model, ExternalData& external,
                                               const std::shared_ptr<const void>& owner,
                                               const ImportOptions& options,
                                               const NamedWeights& weights);

}  // namespace octet::onnx
