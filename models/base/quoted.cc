// SPDX-License-Identifier: Apache-2.0
#include "models/base/quoted.h"

#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace octet {

std::string Quoted(absl::string_view name) {
  constexpr std::size_t kMostBytes = 128;
  return absl::StrCat("\"", absl::CHexEscape(name.substr(0, kMostBytes)),
                      name.size() > kMostBytes ? "..." : "", "\"");
}

}  // namespace octet
