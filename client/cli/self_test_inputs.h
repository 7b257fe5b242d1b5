// SPDX-License-Identifier: Apache-2.0
// Rows for the self-test of a bundle that is being imported.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/cli/input_files.h"
#include "models/graph/graph.h"
#include "models/tensor/tensor.h"

namespace octet::cli {

// Four random rows for each input of `graph`, the same at each call: numbers of the order of 1, and
// for integers indices below 10. What is looked up in a table, directly or behind operators that
// only move or convert it, is one of the table's rows. `open_dimension` stands for each dimension
// that only a request decides. Returns RESOURCE_EXHAUSTED where these rows take more than 256 MiB.
absl::StatusOr<std::vector<Tensor>> RandomSelfTestInputs(const Graph& graph,
                                                         std::int64_t open_dimension);

// The first rows, at most eight, of the files that --input `arguments` name (see ReadInputFiles).
// Returns INVALID_ARGUMENT naming the argument if there are fewer than four; the errors of
// ReadInputFiles.
absl::StatusOr<std::vector<Tensor>> ReadSelfTestInputs(
    const std::vector<std::string>& arguments, const std::vector<InputSpecification>& inputs);

}  // namespace octet::cli
