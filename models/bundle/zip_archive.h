// SPDX-License-Identifier: Apache-2.0
// The zip files that a bundle may come in: members stored, not compressed, so that the weights can
// be used where the file is mapped.

#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace octet {

using NamedBytes = std::pair<std::string, std::span<const std::byte>>;

// The members of the archive in `bytes`, as views into it. Returns DATA_LOSS for a damaged
// archive (bounds, overlaps, checksums, names taken twice, headers that disagree) and
// UNIMPLEMENTED for compression, encryption, several disks, zip64 and more than 64 members.
absl::StatusOr<std::map<std::string, std::span<const std::byte>>> ReadStoredZip(
    std::span<const std::byte> bytes);

// An archive of `members` in this order, the data of each at a multiple of 64 bytes, all dates
// 1980-01-01: the same members give the same bytes. Returns UNIMPLEMENTED from 4 GiB on, and
// INVALID_ARGUMENT for more than 64 members.
absl::StatusOr<std::string> WriteStoredZip(const std::vector<NamedBytes>& members);

}  // namespace octet
