// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files: version 1.0 to 3.0, C order, little-endian numbers.

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/tensor/tensor.h"

namespace octet::cli {

// Returns NOT_FOUND if the file cannot be opened, INVALID_ARGUMENT naming the file and what is
// wrong with it otherwise. Allocates no more than the file is long.
absl::StatusOr<Tensor> ReadNpy(const std::string& path);

// Writes `tensor` (of no packed type) as version 1.0. Returns INVALID_ARGUMENT for a type that
// NumPy lacks, INTERNAL if the file cannot be written.
absl::Status WriteNpy(const std::string& path, TensorView tensor);

}  // namespace octet::cli
