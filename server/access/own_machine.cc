// SPDX-License-Identifier: Apache-2.0

#include "server/access/own_machine.h"

#include <cstdint>
#include <cstring>
#include <netinet/in.h>

#include "absl/strings/match.h"

namespace octet {

bool IsOwnMachine(absl::string_view peer) {
  // IPv6 addresses have their brackets escaped, or not, by gRPC's release.
  for (const absl::string_view own :
       {"unix:", "unix-abstract:", "ipv4:127.",
        "ipv6:[::1]:", "ipv6:%5B::1%5D:", "ipv6:[::ffff:127.", "ipv6:%5B::ffff:127."}) {
    if (absl::StartsWith(peer, own)) return true;
  }
  return false;
}

bool IsOwnMachine(const sockaddr* peer, std::size_t size) {
  if (size < sizeof(sa_family_t)) return false;
  if (peer->sa_family == AF_UNIX) return true;
  if (peer->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in address;
    std::memcpy(&address, peer, sizeof(address));
    return (ntohl(address.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
  }
  if (peer->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 address;
    std::memcpy(&address, peer, sizeof(address));
    if (IN6_IS_ADDR_LOOPBACK(&address.sin6_addr)) return true;
    return IN6_IS_ADDR_V4MAPPED(&address.sin6_addr) &&
           address.sin6_addr.s6_addr[12] == IN_LOOPBACKNET;
  }
  return false;
}

}  // namespace octet
