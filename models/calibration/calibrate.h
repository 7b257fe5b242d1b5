// SPDX-License-Identifier: Apache-2.0
// Runs a float graph over samples and watches the values inside it.

#pragma once

#include <map>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/calibration/calibrator.h"
#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/tensor/tensor.h"

namespace octet {

namespace kernels {
struct KernelSet;
}  // namespace kernels

// The ranges of a graph's values, by name.
using CalibrationTable = std::map<std::string, Range>;

// The ranges of the float32 values `watched` (inputs of `graph` or what its nodes compute) on
// `samples`: one tensor for each input, in the graph's order, with any number of rows. `calibrator`
// is a name of BuiltInCalibrators().
//
// Returns INVALID_ARGUMENT naming the value for samples that do not fit, or that lead to a value
// that is not finite; UNIMPLEMENTED for an unknown calibrator; the errors of Executable::Compile.
absl::StatusOr<CalibrationTable> Calibrate(const Graph& graph, const OperatorRegistry& operators,
                                           const kernels::KernelSet& kernels,
                                           std::span<const ValueId> watched,
                                           std::span<const Tensor> samples,
                                           absl::string_view calibrator);

}  // namespace octet
