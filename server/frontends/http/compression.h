// SPDX-License-Identifier: Apache-2.0
// gzip and deflate of bodies.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/frontends/http/body_buffer.h"

namespace octet {

enum class Coding : std::uint8_t { kIdentity, kGzip, kDeflate };
// "identity", "gzip", "deflate".
const char* CodingName(Coding coding);

// What a Content-Encoding says; nullopt for a coding that is unknown, and for several.
std::optional<Coding> ParseContentEncoding(absl::string_view value);

// What an Accept-Encoding allows an answer to be in.
struct AcceptedCoding {
  Coding coding = Coding::kIdentity;
  // It names this one coding and nothing else, which somebody meant: a list is what HTTP libraries
  // send unasked.
  bool is_alone = false;
};
// Prefers the higher quality, then gzip. One that cannot be read allows nothing.
AcceptedCoding ParseAcceptEncoding(absl::string_view value);

// Appends what `compressed` inflates to, which `out` then holds in whole.
// Returns INVALID_ARGUMENT for damaged or unfinished data and for bytes behind it, OUT_OF_RANGE for
// more than `max_bytes`, UNAVAILABLE where the budget of `out` has no room.
absl::Status Inflate(Coding coding, std::span<const std::byte> compressed, std::size_t max_bytes,
                     BodyBuffer& out);

// All `parts`, one after the other, in `coding`. Precondition: it is not kIdentity.
absl::StatusOr<std::string> Deflate(Coding coding,
                                    std::span<const std::span<const std::byte>> parts);

}  // namespace octet
