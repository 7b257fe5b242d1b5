// SPDX-License-Identifier: Apache-2.0
// How much memory this process's control groups (cgroup v1 or v2) may have.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace octet {

// The bytes in a cgroup's `memory.max` or `memory.limit_in_bytes`. Returns nullopt for no limit
// ("max", or version 1's number beyond any machine) and for anything else. Pure.
std::optional<std::uint64_t> ParseMemoryLimit(absl::string_view text);

// The smallest limit of this process's group and its ancestors; nullopt without one. `root` is
// where proc and sys/fs/cgroup lie ("/"). Files that are missing or do not parse limit nothing.
std::optional<std::uint64_t> ReadMemoryLimit(const std::string& root = "/");

}  // namespace octet
