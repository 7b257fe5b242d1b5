// SPDX-License-Identifier: Apache-2.0
// The members of a `.keras` file: a zip archive with a configuration and weights.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace octet::keras {

struct KerasArchive {
  std::string metadata_json;  // empty where the member is absent
  std::string config_json;
  std::vector<std::byte> weights;  // model.weights.h5
};

// Unpacks the archive in `bytes`; nothing is written to disk. Returns INVALID_ARGUMENT for a
// damaged archive, a name that climbs out of it or occurs twice, or a member that is missing;
// RESOURCE_EXHAUSTED for a member that unpacks to more than `max_byte_size`, or to far more than
// it is stored in; UNIMPLEMENTED for weights in another format than HDF5 and for encryption.
absl::StatusOr<KerasArchive> ReadKerasArchive(std::span<const std::byte> bytes,
                                              std::int64_t max_byte_size);

}  // namespace octet::keras
