// SPDX-License-Identifier: Apache-2.0
#include "client/address.h"

#include "gtest/gtest.h"

namespace octet::client {
namespace {

TEST(AddressTest, IsTakenApart) {
  const auto name = SplitAddress("octet.example:8001");
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name->host, "octet.example");
  EXPECT_EQ(name->port, "8001");
  const auto ipv6 = SplitAddress("[::1]:8001");
  ASSERT_TRUE(ipv6.ok());
  EXPECT_EQ(ipv6->host, "::1");
  for (const char* const wrong : {"", "host", "host:", ":8001"}) {
    EXPECT_EQ(SplitAddress(wrong).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
  }
}

TEST(AddressTest, OnlyWhatCertainlyStaysHereIsThisMachine) {
  for (const char* const own : {"unix:/run/octet.sock", "localhost:1", "LOCALHOST:1", "127.0.0.1:1",
                                "127.9.9.9:1", "[::1]:1"}) {
    EXPECT_TRUE(IsOwnMachineAddress(own)) << own;
  }
  for (const char* const other :
       {"10.0.0.1:1", "127.0.0.1.example.com:1", "localhost.example.com:1", "[::2]:1", "0.0.0.0:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1", "dns:///localhost:1", "127.1:1", "localhost", ""}) {
    EXPECT_FALSE(IsOwnMachineAddress(other)) << other;
  }
}

TEST(AddressTest, TellsIpAddressesFromNames) {
  EXPECT_TRUE(IsIpAddress("10.0.0.1"));
  EXPECT_TRUE(IsIpAddress("::1"));
  EXPECT_FALSE(IsIpAddress("localhost"));
}

}  // namespace
}  // namespace octet::client
