// SPDX-License-Identifier: Apache-2.0

#include "server/shared_memory/shared_memory_regions.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/shared_object.h"

namespace octet {
namespace {

using ::testing::HasSubstr;
using testing::SharedObject;

class SharedMemoryRegionsTest : public ::testing::Test {
 protected:
  absl::Status Register(const std::string& name) {
    return regions_.Register(name, {object_.key(), 0, 64});
  }

  SharedObject object_{64};
  SharedMemoryRegions regions_{
      {.key_prefix = "", .max_request_bytes = 100, .max_copied_bytes = 250}};
};

TEST_F(SharedMemoryRegionsTest, NamesAreFoundUntilTheyAreUnregistered) {
  EXPECT_TRUE(regions_.List().empty());
  ASSERT_TRUE(Register("a").ok());
  ASSERT_TRUE(regions_.Register("b", {object_.key(), 8, 16}).ok());
  EXPECT_EQ(regions_.List().size(), 2U);
  const SharedMemoryPlace b = regions_.Find("b").value()->place();
  EXPECT_EQ(b.key, object_.key());
  EXPECT_EQ(b.offset, 8U);
  EXPECT_EQ(b.byte_size, 16U);
  regions_.Unregister("a");
  regions_.Unregister("a");
  EXPECT_TRUE(absl::IsNotFound(regions_.Find("a").status()));
  EXPECT_TRUE(regions_.Find("b").ok());
  regions_.UnregisterAll();
  EXPECT_TRUE(regions_.List().empty());
}

TEST_F(SharedMemoryRegionsTest, ANameIsGivenOnce) {
  ASSERT_TRUE(Register("a").ok());
  const absl::Status status = Register("a");
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"a\""));
}

TEST_F(SharedMemoryRegionsTest, NamesThatAreNoText) {
  for (const std::string& name : {std::string(), std::string("a\nb"), std::string("\0", 1),
                                  std::string(257, 'a'), std::string(1 << 20, 'a')}) {
    const absl::Status status = Register(name);
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_LT(status.message().size(), 400U);
  }
  EXPECT_TRUE(Register(std::string(256, 'a')).ok());
  EXPECT_TRUE(Register("a/../b \xC3\xA4").ok());  // it is no path
}

TEST_F(SharedMemoryRegionsTest, WhatWasFoundStaysUntilItIsNotUsedAnyMore) {
  ASSERT_TRUE(Register("a").ok());
  const auto region = regions_.Find("a").value();
  regions_.UnregisterAll();
  shm_unlink(object_.key().c_str());
  std::vector<std::byte> bytes(64, std::byte{5});
  EXPECT_TRUE(region->Write(0, bytes).ok());
  EXPECT_EQ(object_.Get(0, 64), bytes);
}

TEST_F(SharedMemoryRegionsTest, TooManyAreRefused) {
  for (std::size_t i = 0; i < SharedMemoryRegions::kMostRegions; ++i) {
    ASSERT_TRUE(Register(std::to_string(i)).ok());
  }
  EXPECT_TRUE(absl::IsResourceExhausted(Register("one more")));
  EXPECT_TRUE(absl::IsAlreadyExists(Register("0")));
  regions_.Unregister("7");
  EXPECT_TRUE(Register("one more").ok());
}

TEST_F(SharedMemoryRegionsTest, KeysWithoutThePrefixAreRefused) {
  SharedMemoryRegions regions({.key_prefix = object_.key().substr(1)});
  EXPECT_TRUE(regions.Register("a", {object_.key(), 0, 8}).ok());
  EXPECT_TRUE(regions.Register("b", {object_.key().substr(1), 0, 8}).ok());
  const SharedObject other(8);
  for (const std::string& key :
       {other.key(), "/" + object_.key(), std::string("x"), std::string()}) {
    EXPECT_TRUE(absl::IsPermissionDenied(regions.Register("c", {key, 0, 8}))) << key;
  }
}

TEST_F(SharedMemoryRegionsTest, CopiesAreCounted) {
  EXPECT_TRUE(absl::IsResourceExhausted(regions_.Reserve(101).status()));
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  EXPECT_TRUE(absl::IsResourceExhausted(regions_.Reserve(kMost).status()));
  {
    const auto a = regions_.Reserve(100).value();
    const auto b = regions_.Reserve(100).value();
    EXPECT_EQ(a->bytes().size(), 100U);
    const absl::Status status = regions_.Reserve(51).status();
    EXPECT_TRUE(absl::IsResourceExhausted(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr("200 bytes"));
    EXPECT_TRUE(regions_.Reserve(50).ok());
  }
  EXPECT_TRUE(regions_.Reserve(100).ok());
}

TEST_F(SharedMemoryRegionsTest, ManyThreadsRegisterFindAndUnregister) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string name = std::to_string((t + i) % 3);
        if (const absl::Status status = Register(name); !status.ok()) {
          EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
        }
        if (const auto region = regions_.Find(name); region.ok()) {
          std::vector<std::byte> bytes(64);
          EXPECT_TRUE((*region)->Read(0, bytes).ok());
        }
        regions_.Reserve(100).IgnoreError();
        i % 7 == 0 ? regions_.UnregisterAll() : regions_.Unregister(name);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(regions_.Reserve(100).ok());
}

}  // namespace
}  // namespace octet
