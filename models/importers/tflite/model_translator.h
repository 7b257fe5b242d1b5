// SPDX-License-Identifier: Apache-2.0
// Walks the operators of a TensorFlow Lite model.

#pragma once

#include "absl/status/statusor.h"

#include "models/importers/tflite/operator_call.h"

namespace octet::tflite {

// The graph of `translation.file`; fills in `translation.layers`.
//
// Dimension 0 of all activations is the batch: the graph takes any number of rows, whatever the
// file was written for. Returns UNIMPLEMENTED or INVALID_ARGUMENT with all operators that cannot
// be translated, each with its number, its name and its tensors; RESOURCE_EXHAUSTED.
absl::StatusOr<Graph> TranslateModel(Translation& translation);

}  // namespace octet::tflite
