// SPDX-License-Identifier: Apache-2.0
// Where an HDF5 file keeps the strings of its attributes.

#pragma once

#include <cstddef>
#include <span>

#include "absl/status/status.h"

namespace octet::keras {

// Whether each object of each global heap in `file` lies within its heap: libhdf5 1.10 walks them
// without looking, and for ever over one of no bytes. INVALID_ARGUMENT with the place otherwise.
// The format: HDF5 File Format Specification 3.0, III.E, for files with lengths of 8 bytes, as
// every one is that libhdf5 writes by itself.
absl::Status CheckGlobalHeaps(std::span<const std::byte> file);

}  // namespace octet::keras
