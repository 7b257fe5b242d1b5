// SPDX-License-Identifier: Apache-2.0

#include "models/base/bounded_ring.h"

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(BoundedRingTest, IsFirstInFirstOutOverManyTurns) {
  BoundedRing<int> ring(4);
  int next_out = 0;
  for (int i = 0; i < 100; ++i) {
    int value = i;
    ASSERT_TRUE(ring.TryPush(value));
    if (i % 3 == 2) {
      while (const std::optional<int> out = ring.TryPop()) EXPECT_EQ(*out, next_out++);
    }
  }
  EXPECT_EQ(next_out, 99);
}

TEST(BoundedRingTest, FullRefusesAndLeavesTheValue) {
  BoundedRing<std::string> ring(3);  // rounded up
  EXPECT_EQ(ring.capacity(), 4U);
  for (int i = 0; i < 4; ++i) {
    std::string value = "in";
    ASSERT_TRUE(ring.TryPush(value));
  }
  std::string value = "a text that is too long for the small buffer";
  EXPECT_FALSE(ring.TryPush(value));
  EXPECT_EQ(value, "a text that is too long for the small buffer");
  EXPECT_EQ(ring.TryPop(), "in");
  EXPECT_TRUE(ring.TryPush(value));
}

TEST(BoundedRingTest, WhatWasTakenOutIsNotKept) {
  BoundedRing<std::shared_ptr<int>> ring(2);
  auto value = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = value;
  ASSERT_TRUE(ring.TryPush(value));
  EXPECT_TRUE(ring.TryPop().has_value());
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(ring.TryPop(), std::nullopt);
}

TEST(BoundedRingTest, ManyThreadsLoseNothingAndMakeNothingUp) {
  constexpr std::uint64_t kEach = 20'000;
  constexpr int kThreads = 3;
  BoundedRing<std::uint64_t> ring(64);
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> sum = 0;
  std::atomic<std::uint64_t> count = 0;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (std::uint64_t n = 1; n <= kEach; ++n) {
        std::uint64_t value = n;
        while (!ring.TryPush(value)) std::this_thread::yield();
      }
    });
    threads.emplace_back([&] {
      while (count.load() < kThreads * kEach) {
        if (const std::optional<std::uint64_t> out = ring.TryPop()) {
          sum += *out;
          ++count;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum.load(), kThreads * kEach * (kEach + 1) / 2);
}

}  // namespace
}  // namespace octet
