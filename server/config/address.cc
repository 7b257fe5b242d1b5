// SPDX-License-Identifier: Apache-2.0

#include "server/config/address.h"

#include <cstddef>
#include <sys/un.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace octet {

absl::Status CheckAddress(absl::string_view text) {
  absl::string_view path = text;
  if (absl::ConsumePrefix(&path, "unix:")) {
    constexpr std::size_t kMostBytes = sizeof(sockaddr_un{}.sun_path) - 1;
    if (!path.empty() && path.size() <= kMostBytes) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("got \"", text, "\", wants unix:PATH with 1 to ",
                                                   kMostBytes, " bytes of path"));
  }
  const std::size_t colon = text.rfind(':');
  const absl::string_view host = text.substr(0, colon);
  unsigned port = 0;
  const bool is_bracketed =
      absl::StartsWith(host, "[") && absl::EndsWith(host, "]") && host.size() > 2;
  if (colon == absl::string_view::npos || host.empty() ||
      (host.find_first_of("[]:") != absl::string_view::npos && !is_bracketed) ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat(
        "got \"", text,
        "\", wants host:port such as 0.0.0.0:8001, [::]:8001, localhost:0, or unix:PATH"));
  }
  return absl::OkStatus();
}

}  // namespace octet
