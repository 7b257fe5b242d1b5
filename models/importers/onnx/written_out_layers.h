// SPDX-License-Identifier: Apache-2.0
// Layers that a converter writes in several nodes, over tensors whose sizes no value of the graph
// has: found before they are translated.

#pragma once

#include <deque>
#include <vector>

#include "models/importers/onnx/model_proto.h"
#include "models/importers/onnx/small_constants.h"

namespace octet::onnx {

// Puts one node into `nodes`, which are `graph`'s in the order of computation, in place of those
// that compute the same, as tf2onnx writes them; the new nodes are kept in `made`. `constants` has
// noted all of `nodes`.
//
//   BatchNormalization of x, [1, n, d, 1], by the means and deviations of each of its n rows, which
//   is only reshaped, as Keras 2 normalizes layers            LayerNormalization, of shape [n, d]
//   ReverseSequence of x by Expand(Gather(Shape(x), its axis of time))          Slice
//
// What only the replaced nodes took is left out.
void JoinWrittenOutLayers(const GraphProto& graph, const SmallConstants& constants,
                          std::vector<const NodeProto*>& nodes, std::deque<NodeProto>& made);

}  // namespace octet::onnx
