// SPDX-License-Identifier: Apache-2.0
// The networks of the benchmark as graphs, from weights that the cases made: the nodes that an
// exporter writes, nothing fused.

#pragma once

#include <map>
#include <string>

#include "models/graph/graph.h"
#include "models/tensor/tensor.h"

namespace octet::bench {

// Weights by name: each a .npy file of one folder.
class Weights {
 public:
  explicit Weights(std::string folder) : folder_(std::move(folder)) {}

  [[nodiscard]] bool Has(const std::string& name) const;
  // Ends the process with a message if there is no such file.
  [[nodiscard]] ConstantTensor Get(const std::string& name) const;

 private:
  const std::string folder_;
};

// The network called `name`; ends the process with a message if there is none.
//   fully-connected        y = x w + b: `w` [k, n], `b` [n]
//   fully-connected-gelu   the same, then GELU (erf)
//   encoder                BERT's: `tokens` [vocabulary, width], `positions` [length, width], and
//   of
//                          each layer what encoder.py calls "layer<i>.<name>"; input int64 ids
//                          [rows, length]
Graph MakeNetwork(const std::string& name, const Weights& weights);

}  // namespace octet::bench
