// SPDX-License-Identifier: Apache-2.0
// Nodes of constants that only the graph's own operators can compute: they are run once, while the
// model is imported.

#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/importer.h"
#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

// Whether each input of the node is a constant or absent, and one at least is given.
bool TakesConstants(const NodeCall& call);

// The outputs of a node that TakesConstants, as the engine computes them in float32: the node is
// translated by itself, with its first input, or all of them, as values of a graph without inputs,
// and that is run. Returns the errors of the translator and of options.run_graph;
// RESOURCE_EXHAUSTED where it would take too long, or its constants more bytes than the translation
// allows. Precondition: options.run_graph is given.
absl::StatusOr<std::vector<Operand>> RunOnConstants(const NodeCall& call, ExternalData& external,
                                                    const ImportOptions& options);

}  // namespace octet::onnx
