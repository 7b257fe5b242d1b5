// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/process_figures.h"

#include <chrono>
#include <optional>

#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(ParseProcessStatTest, NameMayHoldBlanksAndParentheses) {
  const std::optional<ProcessStat> stat = ParseProcessStat(
      "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 11 22 5 6 20 0 7 0 1234 4096000 100 "
      "18446744073709551615 1\n");
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->user_ticks, 11U);
  EXPECT_EQ(stat->system_ticks, 22U);
  EXPECT_EQ(stat->num_threads, 7);
  EXPECT_EQ(stat->start_ticks, 1234U);
  EXPECT_EQ(stat->virtual_bytes, 4'096'000U);
  EXPECT_EQ(stat->resident_pages, 100U);
}

TEST(ParseProcessStatTest, RefusesWhatIsNoStat) {
  EXPECT_FALSE(ParseProcessStat("").has_value());
  EXPECT_FALSE(ParseProcessStat("1 (x) S 1 2").has_value());
  EXPECT_FALSE(ParseProcessStat("1 x S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22")
                   .has_value());
}

TEST(ReadProcessFiguresTest, ThisProcessHasPlausibleFigures) {
  const ProcessFigures figures = ReadProcessFigures("/");
  EXPECT_GT(figures.resident_bytes, 100'000U);
  EXPECT_GE(figures.virtual_bytes, figures.resident_bytes);
  EXPECT_GE(figures.num_threads, 1);
  EXPECT_GE(figures.open_fds, 3U);
  EXPECT_GE(figures.max_fds, figures.open_fds);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_LE(figures.start_unix_seconds, now + 2);
  EXPECT_GT(figures.start_unix_seconds, 1.0e9);
}

TEST(ReadProcessFiguresTest, MissingFilesAreZero) {
  const ProcessFigures figures = ReadProcessFigures("/nonexistent");
  EXPECT_EQ(figures.resident_bytes, 0U);
  EXPECT_EQ(figures.open_fds, 0U);
}

}  // namespace
}  // namespace octet
