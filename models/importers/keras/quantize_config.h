// SPDX-License-Identifier: Apache-2.0
// The quantizers of TensorFlow Model Optimization, as its wrappers' configurations name them.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/config_view.h"

namespace octet::keras {

// How one tensor is fake-quantized. Its range is a variable, or fixed.
struct RangeQuantizer {
  std::int64_t num_bits = 8;
  bool per_axis = false;  // a range for each last index
  bool narrow_range = false;

  struct Fixed {
    float min = 0.0F;
    float max = 0.0F;
  };
  std::optional<Fixed> fixed;
};

// What a wrapper does to the layer inside of it.
struct QuantizeConfig {
  std::vector<std::string> weight_attributes;  // "kernel"
  RangeQuantizer weights;
  bool quantizes_activation = false;  // the layer's "activation", before or after it or both
  bool quantizes_output = false;
  RangeQuantizer activations;  // and outputs
};

// The quantizer in `json`, {"class_name": ..., "config": ...}; nullopt for none. UNIMPLEMENTED for
// one that is not the toolkit's own.
absl::StatusOr<std::optional<RangeQuantizer>> ParseQuantizer(const ConfigView& quantizer);

// The config at "quantize_config" of a wrapper, for a layer whose activation we
// call `activation`.
// UNIMPLEMENTED for one that is not the toolkit's own, or that we lack, by name.
absl::StatusOr<QuantizeConfig> ParseQuantizeConfig(const ConfigView& config,
                                                   const std::string& activation);

}  // namespace octet::keras
