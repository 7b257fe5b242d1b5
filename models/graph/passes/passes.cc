// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/passes.h"

#include <array>

#include "models/graph/passes/fold_batch_normalization.h"
#include "models/graph/passes/fuse_activation.h"
#include "models/graph/passes/fuse_attention.h"
#include "models/graph/passes/fuse_gelu.h"
#include "models/graph/passes/fuse_layer_normalization.h"
#include "models/graph/passes/fuse_residual.h"
#include "models/graph/passes/remove_unused_nodes.h"
#include "models/graph/passes/share_quantized_rows.h"

namespace octet {
namespace {

// The order matters: a relu can be fused once the batch normalization before it is gone, a gelu
// once it is one node, and an addition only if it has none.
constexpr std::array kPasses = {
    Pass{"remove_unused_nodes", "leaves out what no output depends on", RemoveUnusedNodes},
    Pass{"fold_batch_normalization", "scales the weights before it instead",
         FoldBatchNormalization},
    Pass{"fuse_attention", "one node for products, softmax and transposes", FuseAttention},
    Pass{"fuse_gelu", "one activation for the products that it is made of", FuseGelu},
    Pass{"fuse_layer_normalization", "one node for the means and what is made of them",
         FuseLayerNormalization},
    Pass{"fuse_activation", "computes it inside the node that it follows", FuseActivation},
    Pass{"fuse_residual", "adds it inside the fully connected layer before", FuseResidual},
    Pass{"share_quantized_rows", "quantizes rows once for all layers that take them",
         ShareQuantizedRows},
};

}  // namespace

std::span<const Pass> AllPasses() { return kPasses; }

void RunPasses(Graph& graph) {
  for (const Pass& pass : AllPasses()) pass.run(graph);
}

}  // namespace octet
