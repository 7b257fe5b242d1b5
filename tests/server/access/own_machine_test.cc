// SPDX-License-Identifier: Apache-2.0

#include "server/access/own_machine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(OwnMachineTest, ByTheAddressThatGrpcWrites) {
  for (const char* const peer :
       {"unix:", "unix:/run/octet.sock", "unix-abstract:x", "ipv4:127.0.0.1:1", "ipv4:127.8.9.1:2",
        "ipv6:[::1]:3", "ipv6:%5B::1%5D:3", "ipv6:[::ffff:127.0.0.1]:4",
        "ipv6:%5B::ffff:127.0.0.1%5D:4"}) {
    EXPECT_TRUE(IsOwnMachine(peer)) << peer;
  }
  for (const char* const peer :
       {"", "ipv4:10.0.0.1:1", "ipv4:12.7.0.1:1", "ipv6:[::2]:3", "ipv6:[::11]:3",
        "ipv6:[fe80::1]:3", "ipv6:[::ffff:10.0.0.1]:4", "127.0.0.1:5", "ipv4:1270.0.0.1:1"}) {
    EXPECT_FALSE(IsOwnMachine(peer)) << peer;
  }
}

bool IsOwn4(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, text, &address.sin_addr);
  return IsOwnMachine(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

bool IsOwn6(const char* text, std::size_t size = sizeof(sockaddr_in6)) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  inet_pton(AF_INET6, text, &address.sin6_addr);
  return IsOwnMachine(reinterpret_cast<const sockaddr*>(&address), size);
}

TEST(OwnMachineTest, BySocketAddress) {
  EXPECT_TRUE(IsOwn4("127.0.0.1"));
  EXPECT_TRUE(IsOwn4("127.255.0.9"));
  EXPECT_FALSE(IsOwn4("128.0.0.1"));
  EXPECT_FALSE(IsOwn4("10.0.0.127"));
  EXPECT_TRUE(IsOwn6("::1"));
  EXPECT_TRUE(IsOwn6("::ffff:127.0.0.1"));
  EXPECT_FALSE(IsOwn6("::ffff:10.0.0.1"));
  EXPECT_FALSE(IsOwn6("fe80::1"));
  EXPECT_FALSE(IsOwn6("::1", sizeof(sockaddr_in)));  // cut off
  sockaddr_un file{};
  file.sun_family = AF_UNIX;
  EXPECT_TRUE(IsOwnMachine(reinterpret_cast<const sockaddr*>(&file), sizeof(file.sun_family)));
  EXPECT_FALSE(IsOwnMachine(reinterpret_cast<const sockaddr*>(&file), 1));
}

}  // namespace
}  // namespace octet
