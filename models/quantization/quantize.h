// SPDX-License-Identifier: Apache-2.0
// A float bundle to an int8 or int4 one.

#pragma once

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "kernels/kernel_set.h"
#include "models/bundle/bundle.h"
#include "models/graph/operator_registry.h"
#include "models/tensor/tensor.h"

namespace octet {

enum class QuantizationMode {
  kInt8Dynamic,     // int8 weights; activations are quantized per row at run time (PTDQ)
  kInt8Static,      // int8 weights and activations with calibrated ranges (PTSQ)
  kInt8WeightOnly,  // int8 weights, float arithmetic
  kInt4,            // int4 weights in groups of 128, float arithmetic
  kInt4Dynamic,     // int4 weights, one scale a column; activations as kInt8Dynamic (W4A8)
};

struct QuantizationModeEntry {
  absl::string_view name;  // "int8-dynamic": also the bundle's precision
  absl::string_view description;
  QuantizationMode mode;
};
std::span<const QuantizationModeEntry> QuantizationModes();

// Returns UNIMPLEMENTED, listing the known names, for another.
absl::StatusOr<QuantizationMode> ParseQuantizationMode(absl::string_view name);

struct QuantizeOptions {
  QuantizationMode mode = QuantizationMode::kInt8Dynamic;
  // One tensor for each input, in the graph's order: what the ranges of kInt8Static come from.
  // Other modes take the rows of the self-test from it, if it is there.
  std::span<const Tensor> calibration;
  std::string calibrator = "min-max";
  // What kInt8Static runs the float graph on; null: the best for this CPU. Borrowed.
  const kernels::KernelSet* kernels = nullptr;
};

// Quantizes the weights of FullyConnected, Conv2d, Conv3d, DepthwiseConv2d and Gather (convolutions
// have no int4: they get int8), and with kInt8Static the activations between them. Batch
// normalizations are folded first. What has no integer form stays float. The layers follow: mode,
// policy and variables in their serialized order. The self-test is what the reference kernels
// answer for the first rows of the calibration data, or for the inputs of the float bundle's own
// self-test.
//
// With kInt8Dynamic and kInt8WeightOnly a Dense layer holds just what Keras's quantize("int8")
// makes of it.
//
// Returns FAILED_PRECONDITION without rows to calibrate on or test with (4 at least), or if the
// bundle is not float; INVALID_ARGUMENT for weights or activations that are not finite.
absl::StatusOr<Bundle> Quantize(const Bundle& bundle, const OperatorRegistry& operators,
                                const QuantizeOptions& options);

}  // namespace octet
