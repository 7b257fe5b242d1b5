// SPDX-License-Identifier: Apache-2.0

#include "server/process/log_line.h"

#include <algorithm>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono_literals::operator""us;
using testing::HasSubstr;
using testing::Not;

const std::chrono::system_clock::time_point kTime =
    std::chrono::system_clock::time_point(std::chrono::seconds(1'772'323'199)) + 123us;

std::string Line(LogFormat format, const std::string& message, const std::string& value) {
  LogLine line(format, kTime, "info", message);
  line.Add("model", value).AddNumber("rows", 3).AddMicroseconds("total_us", 1500us);
  return std::move(line).Take();
}

TEST(LogLineTest, BothFormats) {
  EXPECT_EQ(Line(LogFormat::kText, "request", "digits"),
            "2026-02-28T23:59:59.000123Z info request model=digits rows=3 total_us=1500.0\n");
  EXPECT_EQ(Line(LogFormat::kJson, "request", "digits"),
            R"({"time":"2026-02-28T23:59:59.000123Z","level":"info","message":"request",)"
            R"("model":"digits","rows":3,"total_us":1500.0})"
            "\n");
}

TEST(LogLineTest, NothingEndsALineOrAValue) {
  const std::string hostile[] = {"a\nb",
                                 "a\r\nb",
                                 std::string("a\0b", 3),
                                 "a\x1b[2Kb",
                                 "a\x7F",
                                 "\xC2\x85",
                                 "\xE2\x80\xA8",
                                 "\xE2\x80\xAE",
                                 "\xFF\xFE",
                                 "\xED\xA0\x80",
                                 "a\" code=OK x=\"",
                                 "a\\",
                                 "}\n{\"level\":\"error\""};
  for (const std::string& text : hostile) {
    for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
      for (const std::string& line : {Line(format, text, "v"), Line(format, "m", text)}) {
        EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
        EXPECT_TRUE(std::all_of(line.begin(), line.end() - 1, [](char c) {
          return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F;
        })) << line;
        EXPECT_THAT(line, Not(HasSubstr("\xE2\x80")));
        EXPECT_THAT(line, Not(HasSubstr("\xFF")));
      }
    }
  }
  EXPECT_THAT(Line(LogFormat::kText, "m", "x code=OK"), HasSubstr(R"(model="x code=OK" rows)"));
  EXPECT_THAT(Line(LogFormat::kText, "m", "x\" rows=9"), HasSubstr(R"(model="x\" rows=9" rows)"));
  EXPECT_THAT(Line(LogFormat::kText, "m", ""), HasSubstr(R"(model="" rows)"));
}

TEST(LogLineTest, LengthsAreBounded) {
  const std::string line =
      Line(LogFormat::kJson, std::string(1 << 20, '\n'), std::string(1 << 20, '\x01'));
  EXPECT_LE(line.size(), 2 * LogLine::kMostMessageBytes + 6 * LogLine::kMostValueBytes + 200);
  EXPECT_EQ(EscapedForLog("abcd", 4), "abcd");
  EXPECT_EQ(EscapedForLog("abcde", 4), "abcd...");
  EXPECT_EQ(EscapedForLog("abc\xC3\xA9", 4), "abc...");
}

TEST(LogLineTest, TextOfOtherLanguagesIsKept) {
  EXPECT_EQ(EscapedForLog("\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80", 100),
            "\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80");
}

TEST(LogLineTest, TimesBefore1970AndRounding) {
  EXPECT_EQ(Rfc3339(std::chrono::system_clock::time_point(-1us)), "1969-12-31T23:59:59.999999Z");
}

TEST(LogLineTest, FormatsAreWords) {
  EXPECT_EQ(ParseLogFormat("text"), LogFormat::kText);
  EXPECT_EQ(ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(ParseLogFormat("JSON"), std::nullopt);
}

}  // namespace
}  // namespace octet
