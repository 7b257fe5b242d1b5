// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/json_reader.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace octet {
namespace {

using ::testing::HasSubstr;

bool IsJson(absl::string_view text) {
  JsonReader reader(text);
  return reader.Skip() && reader.End();
}

std::string StringOf(absl::string_view json) {
  JsonReader reader(json);
  std::string value;
  EXPECT_TRUE(reader.String(value) && reader.End()) << json << ": " << reader.status();
  return value;
}

TEST(JsonReaderTest, TakesWhatIsJson) {
  for (const char* text :
       {"{}", "[]", "[[],{}]", R"({"a":[1,2,{"b":null}],"c":"d"})", " [ 1 , true , false ] ", "0",
        "-0", "1.5e+10", "1E5", "\"\"", "\"\xC3\xA9\"", "null", "[[[]]]"}) {
    EXPECT_TRUE(IsJson(text)) << text;
  }
}

TEST(JsonReaderTest, RefusesWhatIsNone) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[",
                           "]",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{,}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "-",
                           "1e",
                           "1e+",
                           "0x10",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "t",
                           "nul",
                           "truex",
                           "\"",
                           "\"\\",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\u0041\"",
                           "\"\n\"",
                           "\"\xff\"",
                           "\"\xC0\x80\"",
                           "{}{}",
                           "[]]",
                           "[1]x",
                           "'a'",
                           "[\"a\":1]",
                           "{\"a\",1}"}) {
    EXPECT_FALSE(IsJson(text)) << text;
  }
  EXPECT_FALSE(IsJson(absl::string_view("\"\0\"", 3)));
}

TEST(JsonReaderTest, StringsAreUnescaped) {
  EXPECT_EQ(StringOf(R"("a\"\\\/\b\f\n\r\t")"), "a\"\\/\b\f\n\r\t");
  EXPECT_EQ(StringOf(R"("\u0041\u00e9\u20AC\ud83d\ude00")"),
            "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(StringOf(R"("\u0000")"), std::string(1, '\0'));
}

TEST(JsonReaderTest, DepthIsLimitedInWhatIsReadAndWhatIsSkipped) {
  const auto nested = [](std::size_t depth, char open, char close) {
    return std::string(depth, open) + std::string(depth, close);
  };
  EXPECT_TRUE(IsJson(nested(JsonReader::kMostDepth, '[', ']')));
  EXPECT_FALSE(IsJson(nested(JsonReader::kMostDepth + 1, '[', ']')));
  // What crashed servers that recurse.
  for (const std::string& text :
       {std::string(250'000, '['), std::string(250'000, '{'), nested(250'000, '[', ']')}) {
    JsonReader reader(text);
    EXPECT_FALSE(reader.Skip());
    EXPECT_LT(reader.status().message().size(), 200U);
  }
  std::string objects;
  for (int i = 0; i < 250'000; ++i) objects += "{\"a\":";
  EXPECT_FALSE(IsJson(objects));
}

TEST(JsonReaderTest, NamesAreGivenOnce) {
  JsonReader reader(R"({"a": 1, "b": 2, "\u0061": 3})");
  EXPECT_FALSE(reader.Object([&](absl::string_view) { return reader.Skip(); }));
  EXPECT_THAT(std::string(reader.status().message()), HasSubstr("\"a\" is given twice"));
}

TEST(JsonReaderTest, MembersAreCounted) {
  std::string text = "{";
  for (std::size_t i = 0; i <= JsonReader::kMostMembers; ++i) {
    text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
  }
  text += "}";
  JsonReader reader(text);
  EXPECT_FALSE(reader.Object([&](absl::string_view) { return reader.Skip(); }));
  EXPECT_THAT(std::string(reader.status().message()), HasSubstr("more than"));
}

TEST(JsonReaderTest, ErrorsSayWhere) {
  JsonReader reader("{\"a\": @}");
  EXPECT_FALSE(reader.Object([&](absl::string_view) { return reader.Skip(); }));
  EXPECT_EQ(reader.status().message(), "JSON, byte 6: got \"@}\", wants a value");
}

TEST(JsonReaderTest, NumbersAreTheirText) {
  JsonReader reader("[18446744073709551615,-1.50e3]");
  std::vector<std::string> numbers;
  EXPECT_TRUE(reader.Array([&] {
    absl::string_view text;
    if (!reader.Number(text)) return false;
    numbers.emplace_back(text);
    return true;
  }));
  EXPECT_EQ(numbers, (std::vector<std::string>{"18446744073709551615", "-1.50e3"}));
}

// Another reader has the same opinion of what is JSON.
TEST(JsonReaderTest, AgreesWithAnotherReader) {
  std::mt19937 random(7);
  const std::string alphabet = "{}[]:,\"\\ 0123456789.-+eEtrufalsn\x80\xC3\xA9u\n";
  const std::string seed = R"({"a":[1,-2.5e3,"x\n\u0041",true,null,{"b":[]}],"c":{}})";
  int accepted = 0;
  for (int i = 0; i < 60'000; ++i) {
    std::string text = i % 2 == 0 ? seed : "";
    if (text.empty()) {
      for (std::size_t n = random() % 8; n > 0; --n) text += alphabet[random() % alphabet.size()];
    } else {
      for (std::size_t n = 1 + random() % 3; n > 0; --n) {
        text[random() % text.size()] = alphabet[random() % alphabet.size()];
      }
    }
    // It stops at numbers that are out of a double's range; here that is for the type to say.
    bool wanted = true;
    try {
      const nlohmann::json ignored = nlohmann::json::parse(text);
    } catch (const nlohmann::json::parse_error&) {
      wanted = false;
    } catch (const nlohmann::json::out_of_range&) {
      continue;
    }
    ASSERT_EQ(IsJson(text), wanted) << text;
    accepted += wanted ? 1 : 0;
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace octet
