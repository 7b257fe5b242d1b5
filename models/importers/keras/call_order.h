// SPDX-License-Identifier: Apache-2.0
// The order in which Keras runs the calls of a Functional model.

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace octet::keras {

// One call of a layer.
struct CallNode {
  std::size_t layer = 0;             // several calls may be of one layer
  std::vector<std::size_t> parents;  // the calls whose outputs it takes, in the arguments' order
};

// The calls that `outputs` need, in Keras's order: by falling distance from the outputs, and as
// keras/src/ops/function.py (map_graph) meets them where that is the same. It matters where a call
// changes what others see: MultiHeadAttention takes the masks off its inputs. None where the calls
// are a cycle. Precondition: every index is below nodes.size().
std::optional<std::vector<std::size_t>> CallOrder(std::span<const CallNode> nodes,
                                                  std::span<const std::size_t> outputs);

}  // namespace octet::keras
