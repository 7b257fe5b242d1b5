// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace octet {

// The SHA-256 of `bytes` in lower-case hex, 64 characters.
std::string Sha256Hex(std::span<const std::byte> bytes);

}  // namespace octet
