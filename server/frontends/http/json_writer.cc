// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/json_writer.h"

#include <algorithm>
#include <cstddef>

#include "models/base/utf8_check.h"

namespace octet {
namespace {

void AppendEscaped(char c, std::string& out) {
  constexpr absl::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    out.push_back('\\');
    out.push_back(c);
  } else if (byte < 0x20 || byte == 0x7F) {
    out += "\\u00";
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  } else {
    out.push_back(c);
  }
}

// Bytes of the character at the start of `text`, which is not empty; 0 where it is no UTF-8.
std::size_t CharacterSize(absl::string_view text) {
  for (std::size_t size = 1; size <= std::min<std::size_t>(4, text.size()); ++size) {
    if (IsUtf8(text.substr(0, size))) return size;
  }
  return 0;
}

}  // namespace

void AppendJsonString(absl::string_view text, std::string& out) {
  out.push_back('"');
  const bool is_utf8 = IsUtf8(text);
  while (!text.empty()) {
    if (is_utf8 || static_cast<unsigned char>(text[0]) < 0x80) {
      AppendEscaped(text[0], out);
      text.remove_prefix(1);
      continue;
    }
    const std::size_t size = CharacterSize(text);
    if (size == 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out.append(text.data(), size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  out.push_back('"');
}

void AppendJsonDims(std::span<const std::int64_t> dims, std::string& out) {
  out.push_back('[');
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) out.push_back(',');
    AppendJsonNumber(dims[i], out);
  }
  out.push_back(']');
}

}  // namespace octet
