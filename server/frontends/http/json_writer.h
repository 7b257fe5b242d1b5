// SPDX-License-Identifier: Apache-2.0
// Appends JSON to text.

#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace octet {

// `text` in quotes. What is no UTF-8 becomes U+FFFD, byte by byte: an answer is JSON whatever a
// bundle's labels hold.
void AppendJsonString(absl::string_view text, std::string& out);

// The shortest text that reads as the same number; NaN and infinities as strings.
template <typename T>
void AppendJsonNumber(T value, std::string& out) {
  static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) {
      out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
      return;
    }
  }
  std::array<char, 32> text;  // a double takes 24
  const std::to_chars_result result = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), result.ptr);
}

// "[1,8,8]".
void AppendJsonDims(std::span<const std::int64_t> dims, std::string& out);

}  // namespace octet
