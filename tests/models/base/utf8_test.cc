// SPDX-License-Identifier: Apache-2.0

#include "models/base/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(Utf8Test, CharactersOfEachLength) {
  for (const auto& [text, code, num_bytes] :
       {std::tuple<const char*, char32_t, std::size_t>{"A", 'A', 1},
        {"\x7F", 0x7F, 1},
        {"\xC2\x80", 0x80, 2},
        {"\xDF\xBF", 0x7FF, 2},
        {"\xE0\xA0\x80", 0x800, 3},
        {"\xEF\xBF\xBF", 0xFFFF, 3},
        {"\xF0\x90\x80\x80", 0x10000, 4},
        {"\xF4\x8F\xBF\xBF", 0x10FFFF, 4}}) {
    const Utf8Character character = FirstCharacter(text);
    EXPECT_EQ(character.code, code);
    EXPECT_EQ(character.num_bytes, num_bytes);
  }
}

TEST(Utf8Test, WhatIsNoCharacterIsOneByte) {
  for (const char* const text : {
           "\x80",              // goes on from nothing
           "\xC0\x80",          // longer than needed
           "\xC1\xBF",          // likewise
           "\xE0\x9F\xBF",      // likewise
           "\xF0\x8F\xBF\xBF",  // likewise
           "\xED\xA0\x80",      // a surrogate
           "\xF4\x90\x80\x80",  // beyond the last
           "\xF5\x80\x80\x80",  // likewise
           "\xFF",
           "\xE2\x82",    // cut off
           "\xE2\x82 x",  // does not go on
       }) {
    EXPECT_EQ(FirstCharacter(text).code, kNoCharacter) << text;
    EXPECT_EQ(FirstCharacter(text).num_bytes, 1U) << text;
  }
}

TEST(Utf8Test, IsMadeValidAndCutBetweenCharacters) {
  EXPECT_EQ(ValidUtf8("a\xFFz", 10), "a\xEF\xBF\xBDz");
  EXPECT_EQ(ValidUtf8("", 10), "");
  EXPECT_EQ(ValidUtf8("abcdef", 6), "abcdef");
  EXPECT_EQ(ValidUtf8("abcdefg", 6), "abcdef...");
  EXPECT_EQ(ValidUtf8("ab\xE2\x82\xAC", 5), "ab\xE2\x82\xAC");
  EXPECT_EQ(ValidUtf8("ab\xE2\x82\xAC", 4), "ab...");
  EXPECT_EQ(ValidUtf8(std::string("a\0b", 3), 10), std::string("a\0b", 3));
}

}  // namespace
}  // namespace octet
