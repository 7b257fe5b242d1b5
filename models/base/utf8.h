// SPDX-License-Identifier: Apache-2.0
// Text of strangers, character by character.

#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace octet {

// What bytes that are no UTF-8 are, one by one.
inline constexpr char32_t kNoCharacter = 0x110000;

struct Utf8Character {
  char32_t code = kNoCharacter;
  std::size_t num_bytes = 1;
};

// The first of `text`. Precondition: it is not empty. Pure.
Utf8Character FirstCharacter(absl::string_view text);

// `text` with each byte that is no UTF-8 replaced by U+FFFD; what follows the first `max_bytes`, or
// would cut a character, is replaced by "...". Pure.
std::string ValidUtf8(absl::string_view text, std::size_t max_bytes);

}  // namespace octet
