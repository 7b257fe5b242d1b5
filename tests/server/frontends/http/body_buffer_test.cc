// SPDX-License-Identifier: Apache-2.0
#include "server/frontends/http/body_buffer.h"

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using testing::ElementsAre;

TEST(ByteBudgetTest, GivesOutNoMoreThanItHas) {
  ByteBudget budget(100);
  EXPECT_TRUE(budget.Take(60));
  EXPECT_FALSE(budget.Take(41));
  EXPECT_FALSE(budget.Take(~std::size_t{0}));
  EXPECT_TRUE(budget.Take(40));
  budget.Give(100);
  EXPECT_EQ(budget.used(), 0U);
}

TEST(ByteBudgetTest, TellsOfChangesInSteps) {
  std::vector<std::size_t> told;
  ByteBudget budget(319, [&told](std::size_t used) { told.push_back(used); });  // in steps of 10
  ASSERT_TRUE(budget.Take(1));
  ASSERT_TRUE(budget.Take(8));  // in the same step
  ASSERT_TRUE(budget.Take(300));
  EXPECT_FALSE(budget.Take(300));
  budget.Give(309);
  EXPECT_THAT(told, ElementsAre(10, 310, 0));
}

TEST(ByteBudgetTest, WhatIsToldLastCoversWhatIsUsed) {
  std::size_t told = 0;
  ByteBudget budget(1 << 20, [&told](std::size_t used) { told = used; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&budget] {
      for (int round = 0; round < 2000; ++round) {
        if (budget.Take(100'000)) budget.Give(100'000);
      }
      EXPECT_TRUE(budget.Take(1000));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget.used(), 4000U);
  EXPECT_GE(told, 4000U);
  EXPECT_LE(told, std::size_t{1} << 16);
}

}  // namespace
}  // namespace octet
