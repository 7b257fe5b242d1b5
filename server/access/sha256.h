// SPDX-License-Identifier: Apache-2.0
// SHA-256 without an allocation for each.

#pragma once

#include <array>
#include <optional>

#include "absl/strings/string_view.h"

namespace octet {

using Sha256Digest = std::array<unsigned char, 32>;

// Of `text`; nullopt where OpenSSL has no SHA-256, or no memory.
std::optional<Sha256Digest> Sha256(absl::string_view text);

}  // namespace octet
