// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/batch_progress.h"

#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono::microseconds;

RowsOutcome Good() { return {.run = microseconds(10), .quantize = microseconds(3)}; }

RowsOutcome Failed(absl::Status status) { return {.status = std::move(status)}; }

TEST(BatchProgressTest, HandsOutEveryRowOnce) {
  BatchProgress progress(2);
  EXPECT_TRUE(progress.is_complete());
  for (int batch = 0; batch < 2; ++batch) {
    progress.Begin(10, 4);
    const RowRange a = progress.TakePart();
    const RowRange b = progress.TakePart();
    const RowRange c = progress.TakePart();
    EXPECT_EQ(a, (RowRange{0, 4}));
    EXPECT_EQ(b, (RowRange{4, 4}));
    EXPECT_EQ(c, (RowRange{8, 2}));
    EXPECT_FALSE(progress.has_part());
    progress.Complete(b, Good(), true);
    progress.Complete(a, Good(), false);
    EXPECT_FALSE(progress.is_complete());
    progress.Complete(c, Good(), false);
    EXPECT_TRUE(progress.is_complete());
    EXPECT_TRUE(progress.outcome().status.ok());
    EXPECT_EQ(progress.outcome().run, microseconds(30));
    EXPECT_EQ(progress.outcome().quantize, microseconds(9));
    EXPECT_EQ(progress.outcome().helped_parts, 1);
  }
}

TEST(BatchProgressTest, WhatIsGivenBackIsTakenAgain) {
  BatchProgress progress(2);
  progress.Begin(2, 1);
  const RowRange a = progress.TakePart();
  const RowRange b = progress.TakePart();
  progress.GiveBack(a);
  ASSERT_TRUE(progress.has_part());
  EXPECT_EQ(progress.TakePart(), a);
  progress.Complete(a, Good(), false);
  EXPECT_FALSE(progress.is_complete());
  progress.Complete(b, Good(), true);
  EXPECT_TRUE(progress.is_complete());
}

TEST(BatchProgressTest, NothingIsHandedOutAfterAnError) {
  BatchProgress progress(3);
  progress.Begin(100, 10);
  const RowRange a = progress.TakePart();
  const RowRange b = progress.TakePart();
  const RowRange c = progress.TakePart();
  const RowRange d = progress.TakePart();
  progress.GiveBack(b);
  progress.Complete(a, Failed(absl::InternalError("first")), true);
  EXPECT_FALSE(progress.has_part());
  EXPECT_FALSE(progress.is_complete()) << "two are still computed";
  progress.GiveBack(c);
  EXPECT_FALSE(progress.has_part());
  progress.Complete(d, Failed(absl::InternalError("second")), false);
  EXPECT_TRUE(progress.is_complete());
  EXPECT_EQ(progress.outcome().status, absl::InternalError("first"));
  progress.Begin(1, 1);
  EXPECT_TRUE(progress.outcome().status.ok());
}

}  // namespace
}  // namespace octet
