// SPDX-License-Identifier: Apache-2.0

#include "models/base/quoted.h"

#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(QuotedTest, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Quoted("digits"), R"("digits")");
  EXPECT_EQ(Quoted(""), R"("")");
  EXPECT_EQ(Quoted("a\n\x1b[2J\""), R"("a\n\x1b[2J\"")");
  EXPECT_EQ(Quoted("\xc3\xa9"), R"("\xc3\xa9")");
}

TEST(QuotedTest, CutsWhatIsLong) {
  EXPECT_EQ(Quoted(std::string(128, 'a')), '"' + std::string(128, 'a') + '"');
  EXPECT_EQ(Quoted(std::string(129, 'a')), '"' + std::string(128, 'a') + "...\"");
}

}  // namespace
}  // namespace octet
