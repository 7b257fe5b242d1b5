// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/evaluation.h"

#include <gtest/gtest.h>

#include "tests/support/small_bundle.h"

namespace octet {
namespace {

const Evaluation kFirst = {
    .data_set = "digits", .samples = 360, .top1_accuracy = 0.975, .bundle_digest = "ab"};

TEST(EvaluationTest, ABundleWithoutAFileHasNone) {
  const testing::TemporaryDirectory directory;
  const auto evaluations = ReadEvaluations(directory / "1");
  ASSERT_TRUE(evaluations.ok()) << evaluations.status();
  EXPECT_TRUE(evaluations->empty());
}

TEST(EvaluationTest, TheLatestOfADataSetIsKept) {
  const testing::TemporaryDirectory directory;
  Evaluation second = kFirst;
  second.data_set = "other";
  Evaluation third = kFirst;
  third.top1_accuracy = 0.5;
  for (const Evaluation& evaluation : {kFirst, second, third}) {
    ASSERT_TRUE(RecordEvaluation(directory / ".", evaluation).ok());
  }
  const auto evaluations = ReadEvaluations(directory / ".");
  ASSERT_TRUE(evaluations.ok()) << evaluations.status();
  ASSERT_EQ(evaluations->size(), 2U);
  EXPECT_EQ((*evaluations)[0].data_set, "other");
  EXPECT_EQ((*evaluations)[1].data_set, "digits");
  EXPECT_EQ((*evaluations)[1].samples, 360);
  EXPECT_DOUBLE_EQ((*evaluations)[1].top1_accuracy, 0.5);
}

TEST(EvaluationTest, LiesBesideAnArchive) {
  const testing::TemporaryDirectory directory;
  ASSERT_TRUE(RecordEvaluation(directory / "1.octet", kFirst).ok());
  EXPECT_TRUE(std::filesystem::exists(directory / "1.evaluation.json"));
  EXPECT_EQ(ReadEvaluations(directory / "1.octet").value().size(), 1U);
}

TEST(EvaluationTest, NonsenseIsRefusedBothWays) {
  const testing::TemporaryDirectory directory;
  Evaluation bad = kFirst;
  bad.top1_accuracy = 1.5;
  EXPECT_EQ(RecordEvaluation(directory / ".", bad).code(), absl::StatusCode::kInvalidArgument);
  for (const char* const text : {"[", "{}{", R"({"evaluations":[{"data_set":"a"}]})",
                                 R"({"evaluations":[{"data_set":"a","samples":3,)"
                                 R"("top1_accuracy":"NaN"}]})"}) {
    testing::WriteWhole(directory / "evaluation.json", text);
    EXPECT_EQ(ReadEvaluations(directory / ".").status().code(), absl::StatusCode::kDataLoss)
        << text;
  }
}

}  // namespace
}  // namespace octet
