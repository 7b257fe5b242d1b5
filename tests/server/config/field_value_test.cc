// SPDX-License-Identifier: Apache-2.0

#include "server/config/field_value.h"

#include <chrono>
#include <cstdint>

#include "gtest/gtest.h"

#include "proto/octet/config/v1/config.pb.h"

namespace octet {
namespace {

using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;

TEST(ParseDurationTest, TakesUnits) {
  EXPECT_EQ(*ParseDuration("0"), 0ns);
  EXPECT_EQ(*ParseDuration("500ms"), 500ms);
  EXPECT_EQ(*ParseDuration("1.5s"), 1500ms);
  EXPECT_EQ(*ParseDuration("1h"), 1h);
}

TEST(ParseDurationTest, RefusesNegativeEndlessAndUnitless) {
  for (const char* text : {"", "5", "-1s", "inf", "1 s", "s", "1e9h"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(ParseByteSizeTest, TakesUnits) {
  EXPECT_EQ(*ParseByteSize("0"), 0U);
  EXPECT_EQ(*ParseByteSize("1048576"), 1048576U);
  EXPECT_EQ(*ParseByteSize("64MiB"), 64U << 20);
  EXPECT_EQ(*ParseByteSize("1 GiB"), 1U << 30);
  EXPECT_EQ(*ParseByteSize("3KiB"), 3072U);
}

TEST(ParseByteSizeTest, RefusesOverflowAndOtherUnits) {
  for (const char* text : {"", "MiB", "-1", "1MB", "1.5MiB", "99999999999999GiB", "1e3"}) {
    EXPECT_FALSE(ParseByteSize(text).ok()) << text;
  }
}

TEST(SetFieldTest, SetsByTheFieldsType) {
  config::v1::ServerConfig message;
  const auto set = [&message](const char* name, const char* text) {
    return SetField(text, *message.GetDescriptor()->FindFieldByName(name), message);
  };
  EXPECT_TRUE(set("grpc_address", "a:1").ok());
  EXPECT_TRUE(set("drain_delay", "1.5s").ok());
  EXPECT_TRUE(set("max_request_bytes", "2KiB").ok());
  EXPECT_TRUE(set("allow_management", "true").ok());
  EXPECT_TRUE(set("workers", "3").ok());
  EXPECT_EQ(message.grpc_address(), "a:1");
  EXPECT_EQ(message.drain_delay().seconds(), 1);
  EXPECT_EQ(message.drain_delay().nanos(), 500'000'000);
  EXPECT_EQ(message.max_request_bytes(), 2048U);
  EXPECT_TRUE(message.allow_management());
  EXPECT_EQ(message.workers(), 3U);
  EXPECT_FALSE(set("allow_management", "yes").ok());
  EXPECT_FALSE(set("workers", "4294967296").ok());
  EXPECT_FALSE(set("workers", "2KiB").ok());
}

}  // namespace
}  // namespace octet
