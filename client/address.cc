// SPDX-License-Identifier: Apache-2.0
#include "client/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace octet::client {

absl::StatusOr<HostAndPort> SplitAddress(absl::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos || colon == 0 || colon + 1 == address.size()) {
    return absl::InvalidArgumentError(absl::StrCat("got ", address, ", wants host:port"));
  }
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return HostAndPort{.host = std::string(host), .port = std::string(address.substr(colon + 1))};
}

bool IsUnixAddress(absl::string_view address) { return absl::StartsWith(address, "unix:"); }

bool IsOwnMachineAddress(absl::string_view address) {
  if (IsUnixAddress(address)) return true;
  const absl::StatusOr<HostAndPort> parts = SplitAddress(address);
  if (!parts.ok()) return false;
  if (absl::EqualsIgnoreCase(parts->host, "localhost")) return true;
  in_addr ipv4{};
  constexpr std::uint32_t kLoopbackNet = 127;
  if (inet_pton(AF_INET, parts->host.c_str(), &ipv4) == 1) {
    return ntohl(ipv4.s_addr) >> 24 == kLoopbackNet;
  }
  in6_addr ipv6{};
  return inet_pton(AF_INET6, parts->host.c_str(), &ipv6) == 1 && IN6_IS_ADDR_LOOPBACK(&ipv6);
}

bool IsIpAddress(const std::string& host) {
  in6_addr space{};
  return inet_pton(AF_INET, host.c_str(), &space) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &space) == 1;
}

}  // namespace octet::client
