// SPDX-License-Identifier: Apache-2.0
// A float graph with calibrated ranges to one that computes in int8 between its layers. Internal to
// models/quantization.

#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "models/calibration/calibrate.h"
#include "models/calibration/calibrator.h"
#include "models/graph/graph.h"
#include "models/tensor/tensor.h"

namespace octet {

// int8 over `range`, which holds 0: scale = (max - min) / 255, 0 exact.
TensorQuantization QuantizationFor(const Range& range);

// The values whose ranges MakeStaticGraph wants.
std::vector<ValueId> ValuesToCalibrate(const Graph& graph);

// FullyConnected, Conv2d, Conv3d and DepthwiseConv2d with constant weights take int8 and give int8,
// or float32 where only float operators follow; pooling, Add, Multiply, elementwise activations,
// Concat, mean and max, and what only moves elements stay in int8 where int8 comes in and goes on.
// Quantize and Dequantize stand where the two meet. Inputs and outputs stay float32 and keep their
// names.
absl::StatusOr<Graph> MakeStaticGraph(const Graph& graph, const CalibrationTable& ranges);

}  // namespace octet
