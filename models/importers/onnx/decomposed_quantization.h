// SPDX-License-Identifier: Apache-2.0
// Quantizing and dequantizing that a file writes step by step, as exporters do who do not know
// QuantizeLinear.

#pragma once

#include <deque>
#include <vector>

#include "models/importers/onnx/external_data.h"
#include "models/importers/onnx/model_proto.h"
#include "models/importers/onnx/small_constants.h"

namespace octet::onnx {

// Puts QuantizeLinear and DequantizeLinear into `nodes`, which are `graph`'s in the order of
// computation, in place of the nodes that compute the same; the new nodes are kept in `made`.
//
//   x / s, or x * (1 / s); Round; + zero point; Clip; Cast to 8 bits           QuantizeLinear
//   8 bits Cast to float32; - zero point; * s                                  DequantizeLinear
//   the first without its Cast, - zero point; * s              both, one behind the other
//
// Scales are one constant, or one for each index of an axis; the zero point may be absent or cast;
// Max and Min are as good as Clip, in any order with Round and with the zero point. A Clip to less
// than the 8 bits' range stays, over the integers. A product with 1 / s rounds as the quotient does
// but for quotients within 1e-4 of a tie, and so does a zero point that is added before Round.
//
// What is not replaced is computed as it is written: integers of other widths, no Clip, scales that
// are computed of the model's inputs.
void RecomposeQuantization(const GraphProto& graph, SmallConstants& constants,
                           std::vector<const NodeProto*>& nodes, std::deque<NodeProto>& made);

}  // namespace octet::onnx
