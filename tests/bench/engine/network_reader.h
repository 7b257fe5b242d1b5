// SPDX-License-Identifier: Apache-2.0
// The networks of the benchmark as graphs: what octet_models.py writes.

#pragma once

#include <string>

#include "models/graph/graph.h"

namespace octet::bench {

// Reads FOLDER/network.json and the constants beside it, each a .npy file that has the name under
// which nodes use it:
//   {"inputs": [{"name": "x", "data_type": "FP32", "shape": [-1, 768]}],
//    "nodes": [{"op": "FullyConnected", "name": "y", "inputs": ["x", "w", "", "", "b"],
//               "attributes": {"activation": "relu"}}],
//    "output": "y"}
// -1 is the open dimension "rows", "" an input that is not given; a node's output has its name.
// Ends the process with a message if a file is missing or a node does not fit its operator.
Graph ReadNetwork(const std::string& folder);

}  // namespace octet::bench
