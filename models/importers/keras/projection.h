// SPDX-License-Identifier: Apache-2.0
// The product with a stored kernel, which Dense and EinsumDense have in common, in every mode that
// Keras stores it in.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/keras/activation.h"
#include "models/importers/keras/layer.h"

namespace octet::keras {

// Which layer the kernel belongs to: the one called, or one inside of it.
struct ProjectionSource {
  std::string sub;          // in the HDF5 file, below the layer's group; empty: the layer itself
  std::string path;         // of the layer in the bundle
  std::string layer_class;  // "Dense" or "EinsumDense"
  DtypePolicy policy;
  ConfigView config;  // for "quantization_config"
  bool use_bias = true;
  // Keras forgets the policies of layers inside of attention layers: the mode is then what the
  // variables say. Elsewhere a policy that does not fit them is an error.
  bool infer_mode = false;
  Dims kernel_dims;  // of the kernel as real numbers
  // Kernel axes that the product sums over, ascending, and the others in the output's order.
  std::vector<std::size_t> contracted_axes;
  std::vector<std::size_t> free_axes;
};

struct Projection {
  std::optional<ConstantTensor> bias;  // as stored, in float32
  std::vector<ValueId> inputs;         // of a FullyConnected node but for x; without the bias
  Attributes attributes;
};

// Reads the kernel, lists the layer in the bundle, and adds the constants for a FullyConnected
// node whose weight is [product of the contracted axes, product of the free ones].
absl::StatusOr<Projection> LoadProjection(const LayerCall& call, const ProjectionSource& source);

// How the layer quantizes its inputs: nullopt where it does not, else the attributes that say it.
absl::StatusOr<std::optional<Attributes>> ActivationQuantizer(const ConfigView& config,
                                                              bool by_default);

}  // namespace octet::keras
