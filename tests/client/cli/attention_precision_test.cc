// SPDX-License-Identifier: Apache-2.0
#include "client/cli/attention_precision.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet::cli {
namespace {

AttentionPrecision Parse(const std::string& arguments) {
  CLI::App app;
  auto precision = AttentionPrecision::kFloat32;
  AddAttentionPrecision(app, precision);
  app.parse(arguments);
  return precision;
}

TEST(AttentionPrecisionTest, IsFloat32UnlessGiven) {
  EXPECT_EQ(Parse(""), AttentionPrecision::kFloat32);
  EXPECT_EQ(Parse("--attention-precision float32"), AttentionPrecision::kFloat32);
  EXPECT_EQ(Parse("--attention-precision fastest"), AttentionPrecision::kFastest);
}

TEST(AttentionPrecisionTest, AnotherWordIsRefused) {
  try {
    Parse("--attention-precision bf16");
    FAIL() << "taken";
  } catch (const CLI::ValidationError& error) {
    EXPECT_THAT(std::string(error.what()),
                testing::HasSubstr("got \"bf16\", wants \"float32\" or \"fastest\""));
  }
}

}  // namespace
}  // namespace octet::cli
