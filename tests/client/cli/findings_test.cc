// SPDX-License-Identifier: Apache-2.0

#include "client/cli/findings.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace octet::cli {
namespace {

using testing::HasSubstr;

TEST(FindingsTest, WarningsAloneAreNoError) {
  Findings findings;
  findings.Ok("a", "well");
  findings.Warn("b", "slow", "do this");
  EXPECT_TRUE(findings.Outcome().ok());
  EXPECT_THAT(findings.ToText(), HasSubstr("warning  b: slow\n         -> do this\n"));
  findings.Fail("c", "broken", "do that");
  EXPECT_EQ(findings.Outcome().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(findings.ToText(), HasSubstr("1 errors, 1 warnings\n"));
}

TEST(FindingsTest, JsonHasThemAll) {
  Findings findings;
  findings.Fail("c", "broken", "do that");
  const auto json = nlohmann::json::parse(findings.ToJson("x"));
  EXPECT_EQ(json["subject"], "x");
  EXPECT_EQ(json["errors"], 1);
  EXPECT_EQ(json["findings"][0]["severity"], "error");
  EXPECT_EQ(json["findings"][0]["advice"], "do that");
}

TEST(FindingsTest, WordsOfOthersMoveNoCursor) {
  Findings findings;
  findings.Warn("a", "x\n\x1b[2Kok  forged: \xFF", "y\r");
  const std::string text = findings.ToText();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_FALSE(nlohmann::json::parse(findings.ToJson("\xFF")).is_discarded());
}

}  // namespace
}  // namespace octet::cli
