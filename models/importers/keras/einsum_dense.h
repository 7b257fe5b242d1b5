// SPDX-License-Identifier: Apache-2.0
// EinsumDense as transposes, reshapes and one FullyConnected, for the layer itself and for the
// projections of attention layers, which are made of it.

#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "models/importers/keras/activation.h"
#include "models/importers/keras/layer.h"
#include "models/importers/keras/projection.h"

namespace octet::keras {

struct EinsumDenseSpec {
  std::string equation;   // "abc,cde->abde"; one "..." on each side of the arrow may be used
  std::string bias_axes;  // labels of the output; empty: no bias
  Dims output_dims;       // lengths of the output's last axes; -1 where it is not known
  ActivationFunction activation;
  // But for the kernel's dims and axes, which follow from the equation.
  ProjectionSource source;
};

// Appends the nodes; the one that multiplies is called `name`. Returns UNIMPLEMENTED for an
// equation that is no product with a matrix.
absl::StatusOr<ValueId> EmitEinsumDense(const LayerCall& call, const std::string& name,
                                        ValueId input, EinsumDenseSpec spec);

}  // namespace octet::keras
