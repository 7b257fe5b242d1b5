// SPDX-License-Identifier: Apache-2.0
#include "models/base/utf8.h"

#include <algorithm>

namespace octet {

Utf8Character FirstCharacter(absl::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {.code = first};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  char32_t code = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    code = code << 6 | (byte(i) & 0x3FU);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kLeast[length] || code >= kNoCharacter || is_surrogate) return {};
  return {.code = code, .num_bytes = length};
}

std::string ValidUtf8(absl::string_view text, std::size_t max_bytes) {
  std::string out;
  out.reserve(std::min(text.size(), max_bytes) + 3);
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Character character = FirstCharacter(text.substr(at));
    if (at + character.num_bytes > max_bytes) {
      out += "...";
      break;
    }
    if (character.code == kNoCharacter) {
      out += "\xEF\xBF\xBD";
    } else {
      out.append(text.data() + at, character.num_bytes);
    }
    at += character.num_bytes;
  }
  return out;
}

}  // namespace octet
