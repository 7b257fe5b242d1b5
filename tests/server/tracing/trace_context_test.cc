// SPDX-License-Identifier: Apache-2.0
// The cases are those of the W3C's test suite of Trace Context, by its names.

#include "server/tracing/trace_context.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

constexpr char kTrace[] = "12345678901234567890123456789012";
constexpr char kSpan[] = "1234567890123456";

std::string Parent(const std::string& version = "00", const std::string& trace = kTrace,
                   const std::string& span = kSpan, const std::string& flags = "01") {
  return absl::StrCat(version, "-", trace, "-", span, "-", flags);
}

std::string StateOf(const std::string& tracestate) {
  const auto context = ParseTraceContext(Parent(), tracestate);
  return context ? context->state : "no context";
}

TEST(TraceContextTest, IsReadWhole) {
  const auto context = ParseTraceContext(Parent(), "foo=1");
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(Hex(context->trace_id), kTrace);
  EXPECT_EQ(Hex(context->span_id), kSpan);
  EXPECT_TRUE(context->is_sampled);
  EXPECT_EQ(context->state, "foo=1");
}

TEST(TraceContextTest, FlagsAreBits) {
  const auto is_sampled = [](const std::string& flags) {
    return ParseTraceContext(Parent("00", kTrace, kSpan, flags), "").value().is_sampled;
  };
  EXPECT_FALSE(is_sampled("00"));
  EXPECT_TRUE(is_sampled("01"));
  EXPECT_FALSE(is_sampled("02"));
  EXPECT_TRUE(is_sampled("03"));
  EXPECT_TRUE(is_sampled("ff"));
  EXPECT_FALSE(is_sampled("fe"));
}

TEST(TraceContextTest, LaterVersionsMaySayMore) {
  for (const std::string& text : {Parent("cc"), Parent("cc") + "-what-the-future-will-be-like",
                                  Parent("cc") + "-", Parent("01"), Parent("fe")}) {
    EXPECT_TRUE(ParseTraceContext(text, "").has_value()) << text;
  }
  EXPECT_FALSE(ParseTraceContext(Parent("cc") + ".what-the-future-will-not-be-like", ""));
}

TEST(TraceContextTest, BlanksAroundItAreNotItsOwn) {
  for (const std::string& text : {" " + Parent(), "\t" + Parent(), Parent() + " ", Parent() + "\t",
                                  "\t " + Parent() + " \t"}) {
    EXPECT_TRUE(ParseTraceContext(text, "").has_value()) << text;
  }
}

struct Hostile {
  const char* name;
  std::string traceparent;
};

TEST(TraceContextTest, WhatIsNoTraceparentBeginsATrace) {
  const std::vector<Hostile> all = {
      {"empty", ""},
      {"version_0x00 with more", Parent() + "."},
      {"version_0x00 with more, as later ones have it", Parent() + "-what-the-future-will-be-like"},
      {"version_0xff", Parent("ff")},
      {"version_illegal_characters", Parent(".0")},
      {"version_illegal_characters at its end", Parent("0.")},
      {"version_too_long", Parent("000")},
      {"version_too_long by more", Parent("0000")},
      {"version_too_short", Parent("0")},
      {"trace_id_all_zero", Parent("00", std::string(32, '0'))},
      {"trace_id_illegal_characters", Parent("00", ".2345678901234567890123456789012")},
      {"trace_id_illegal_characters inside", Parent("00", "1234567890123456789012345678901.")},
      {"trace_id in capitals", Parent("00", "ABCDEF78901234567890123456789012")},
      {"trace_id_too_long", Parent("00", "123456789012345678901234567890123")},
      {"trace_id_too_short", Parent("00", "1234567890123456789012345678901")},
      {"parent_id_all_zero", Parent("00", kTrace, std::string(16, '0'))},
      {"parent_id_illegal_characters", Parent("00", kTrace, ".234567890123456")},
      {"parent_id in capitals", Parent("00", kTrace, "123456789012345F")},
      {"parent_id_too_long", Parent("00", kTrace, "12345678901234567")},
      {"parent_id_too_short", Parent("00", kTrace, "123456789012345")},
      {"trace_flags_illegal_characters", Parent("00", kTrace, kSpan, ".0")},
      {"trace_flags_illegal_characters at its end", Parent("00", kTrace, kSpan, "0.")},
      {"trace_flags_too_long", Parent("00", kTrace, kSpan, "001")},
      {"trace_flags_too_short", Parent("00", kTrace, kSpan, "1")},
      {"duplicated, as one", Parent() + "," + Parent()},
      {"blanks inside", absl::StrCat("00- ", kTrace, "-", kSpan, "-1")},
      {"other dashes", absl::StrCat("00_", kTrace, "_", kSpan, "_01")},
      {"bytes that are no text", std::string(55, '\xFF')},
      {"zeros", std::string(55, '\0')},
      {"a long text", std::string(1 << 16, '0')},
  };
  for (const Hostile& hostile : all) {
    EXPECT_FALSE(ParseTraceContext(hostile.traceparent, "foo=1")) << hostile.name;
  }
}

TEST(TraceContextTest, StateIsKeptWithoutItsBlanks) {
  EXPECT_EQ(StateOf("foo=1"), "foo=1");
  EXPECT_EQ(StateOf("foo=1,bar=2"), "foo=1,bar=2");
  EXPECT_EQ(StateOf("foo=1 \t , \t bar=2, \t baz=3"), "foo=1,bar=2,baz=3");
  EXPECT_EQ(StateOf(""), "");
  EXPECT_EQ(StateOf(" , ,"), "");
  const std::string all_key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
  const std::string all_value =
      " !\"#$%&'()*+-./"
      "0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
  EXPECT_EQ(StateOf(absl::StrCat(all_key, "=", all_value)), absl::StrCat(all_key, "=", all_value));
  EXPECT_EQ(StateOf("0a@vendor=1"), "0a@vendor=1");
  EXPECT_EQ(StateOf(absl::StrCat("t@", std::string(14, 'v'), "=1")),
            absl::StrCat("t@", std::string(14, 'v'), "=1"));
  EXPECT_EQ(StateOf(absl::StrCat(std::string(256, 'z'), "=1")),
            absl::StrCat(std::string(256, 'z'), "=1"));
}

TEST(TraceContextTest, StateThatIsNoneIsDroppedAlone) {
  std::vector<std::string> many;
  for (int i = 0; i < 33; ++i) many.push_back(absl::StrCat("bar", i, "=", i));
  for (const std::string& state : {std::string("foo"),
                                   std::string("=1"),
                                   std::string("foo="),
                                   std::string("foo=1=2"),
                                   std::string("Foo=1"),
                                   std::string("foo@=1"),
                                   std::string("@foo=1"),
                                   std::string("foo@@bar=1"),
                                   std::string("foo@bar@baz=1"),
                                   std::string("foo =1"),
                                   std::string("foo\t=1"),
                                   std::string("1foo=1"),
                                   std::string("foo.bar=1"),
                                   std::string("foo=1,foo=1"),
                                   std::string("foo=bar\nbaz"),
                                   std::string("foo=\xC3\xA9"),
                                   std::string("foo=a\0b", 7),
                                   absl::StrCat(std::string(257, 'z'), "=1"),
                                   absl::StrCat("t@", std::string(15, 'v'), "=1"),
                                   absl::StrCat(std::string(242, 't'), "@v=1"),
                                   absl::StrCat("foo=", std::string(257, 'v')),
                                   absl::StrJoin(many, ","),
                                   std::string(1 << 16, ','),
                                   std::string(1 << 16, 'a')}) {
    EXPECT_EQ(StateOf(state), "") << state.substr(0, 80);
  }
  many.pop_back();
  EXPECT_EQ(StateOf(absl::StrJoin(many, ",")), absl::StrJoin(many, ","));
}

}  // namespace
}  // namespace octet
