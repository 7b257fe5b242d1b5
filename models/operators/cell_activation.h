// SPDX-License-Identifier: Apache-2.0
// The activations of recurrent cells: `activation` and `recurrent_activation`.

#pragma once

#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "kernels/kernel_set.h"
#include "models/graph/graph.h"

namespace octet {

// A function of each element. A hard sigmoid may have a slope and an offset of its own, those of
// Keras 2 and ONNX: min(max(alpha * x + beta, 0), 1).
class CellActivation {
 public:
  CellActivation() = default;

  // The attribute `key`, and behind a hard sigmoid KEY_alpha and KEY_beta, both or neither.
  static absl::StatusOr<CellActivation> Of(const Node& node, absl::string_view key,
                                           absl::string_view fallback);

  // `in` and `out` are the same size and may be the same memory.
  void Apply(const kernels::KernelSet& kernels, std::span<const float> in,
             std::span<float> out) const;

 private:
  struct Line {
    float slope;
    float offset;
  };
  kernels::Activation function_;
  std::optional<Line> line_;  // what the function is taken of, in place of the element itself
};

}  // namespace octet
