// SPDX-License-Identifier: Apache-2.0
#include "models/importers/config_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace octet::keras {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseJsonTest, RefusesDeepNestingAndGarbage) {
  EXPECT_TRUE(ParseJson(std::string(100, '[') + std::string(100, ']'), "x").ok());
  const auto deep = ParseJson(std::string(101, '[') + std::string(101, ']'), "x");
  EXPECT_EQ(deep.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(ParseJson("{", "x").ok());
  EXPECT_FALSE(ParseJson("", "x").ok());
  EXPECT_TRUE(ParseJson("\"" + std::string(1000, '[') + "\"", "x").ok());
}

TEST(ConfigViewTest, ReadsTypesAndTellsWhereAnErrorIs) {
  const Json json =
      *ParseJson(R"({"i": 3, "f": 2.0, "s": "x", "l": [1, 2], "n": null, "on": 1})", "x");
  const ConfigView view(json, "layer \"dense\"");
  EXPECT_EQ(*view.Int("i"), 3);
  EXPECT_EQ(*view.Int("f"), 2);
  EXPECT_EQ(*view.Int("n", 7), 7);
  EXPECT_EQ(*view.Float("i", 0.0), 3.0);
  EXPECT_EQ(*view.String("s"), "x");
  EXPECT_THAT(*view.Ints("l"), ElementsAre(1, 2));
  EXPECT_THAT(*view.Ints("i", 2), ElementsAre(3, 3));
  EXPECT_FALSE(view.Has("n"));
  EXPECT_FALSE(view.Object("s").Has("x"));
  const auto wrong = view.Int("s");
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("layer \"dense\": s: got \"x\""));
  EXPECT_FALSE(view.Ints("l", 3).ok());
  EXPECT_FALSE(view.Bool("i", false).ok());
  EXPECT_TRUE(*view.Bool("on", false));
}

TEST(ConfigViewTest, NumbersBeyondInt64AreNoIntegers) {
  const Json json = *ParseJson(R"({"a": 18446744073709551615, "b": 1e300, "c": 0.5})", "x");
  const ConfigView view(json, "x");
  for (const char* const key : {"a", "b", "c"}) EXPECT_FALSE(view.Int(key).ok()) << key;
}

}  // namespace
}  // namespace octet::keras
