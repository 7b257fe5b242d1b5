// SPDX-License-Identifier: Apache-2.0

#include "server/tracing/export_policy.h"

#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

TEST(ExportPolicyTest, WhatTheCollectorTookIsDone) {
  for (const unsigned status : {200U, 202U, 204U}) {
    EXPECT_EQ(AfterAttempt({.status = status}).step, ExportStep::kDone) << status;
  }
}

TEST(ExportPolicyTest, OnlyWhatMayPassIsTriedAgain) {
  for (const unsigned status : {0U, 429U, 502U, 503U, 504U}) {
    EXPECT_EQ(AfterAttempt({.status = status}).step, ExportStep::kRetry) << status;
  }
  for (const unsigned status : {100U, 301U, 400U, 401U, 404U, 413U, 500U, 501U}) {
    EXPECT_EQ(AfterAttempt({.status = status}).step, ExportStep::kGiveUp) << status;
  }
}

TEST(ExportPolicyTest, WaitsDoubleWithinTheirJitter) {
  EXPECT_EQ(AfterAttempt({.number = 1, .jitter = 0}).wait, 750ms);
  EXPECT_EQ(AfterAttempt({.number = 1, .jitter = 1}).wait, 1250ms);
  EXPECT_EQ(AfterAttempt({.number = 3, .jitter = 0.5}).wait, 4000ms);
}

TEST(ExportPolicyTest, LastAttemptIsTheLast) {
  EXPECT_EQ(AfterAttempt({.number = kMostExportAttempts - 1, .status = 503}).step,
            ExportStep::kRetry);
  EXPECT_EQ(AfterAttempt({.number = kMostExportAttempts, .status = 503}).step, ExportStep::kGiveUp);
}

TEST(ExportPolicyTest, CollectorsWishIsHeededUpToAMinute) {
  EXPECT_EQ(AfterAttempt({.status = 429, .retry_after = 7s, .jitter = 0.5}).wait, 7s);
  EXPECT_EQ(AfterAttempt({.status = 429, .retry_after = 0s, .jitter = 0.5}).wait, 1s);
  EXPECT_EQ(AfterAttempt({.status = 503, .retry_after = 3600s}).wait, 60s);
}

}  // namespace
}  // namespace octet
