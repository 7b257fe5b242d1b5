// SPDX-License-Identifier: Apache-2.0

#include "server/config/address.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(CheckAddressTest, TakesHostsPortsAndSockets) {
  for (const char* text : {"0.0.0.0:8001", "localhost:0", "[::]:8001", "[::1]:65535",
                           "unix:/run/octet.sock", "unix:relative.sock"}) {
    EXPECT_TRUE(CheckAddress(text).ok()) << text;
  }
}

TEST(CheckAddressTest, RefusesEverythingElseAndSaysWhatItGot) {
  for (const char* text : {"", "8001", ":8001", "host", "host:", "host:x", "host:-1", "host:65536",
                           "::1:8001", "[]:1", "unix:"}) {
    const absl::Status status = CheckAddress(text);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("got \"" + std::string(text)));
  }
  EXPECT_FALSE(CheckAddress("unix:" + std::string(108, 'a')).ok());
}

}  // namespace
}  // namespace octet
