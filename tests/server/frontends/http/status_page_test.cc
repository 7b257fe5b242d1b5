// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/status_page.h"

#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/server/frontends/http/served_rooms.h"

namespace octet {
namespace {

using std::chrono_literals::operator""us;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(StatusPageTest, ShowsServedAndRefusedModels) {
  testing::ServedRooms served;
  const auto model = served.repository().Find("good", "");
  ASSERT_TRUE(model.ok());
  (*model)->metrics->RecordSuccess(0, {.compute = 100us, .total = 250us, .rows = 1});
  const std::string page = StatusPage(served.rooms());
  EXPECT_THAT(page, HasSubstr(">good</a>"));
  EXPECT_THAT(page, HasSubstr(">int4</td>"));
  EXPECT_THAT(page, HasSubstr(" us</td>"));
  EXPECT_THAT(page, HasSubstr("Not served"));
  EXPECT_THAT(page, HasSubstr(">bad</td>"));
  EXPECT_THAT(page, HasSubstr("good\">ready</span>"));
  EXPECT_THAT(page, HasSubstr("3 requests in flight"));
}

TEST(StatusPageTest, LoadsNothingFromElsewhere) {
  testing::ServedRooms served;
  const std::string page = StatusPage(served.rooms());
  for (const char* text : {"http://", "https://", "src=", "@import", "url(", "<script"}) {
    EXPECT_THAT(page, Not(HasSubstr(text)));
  }
}

TEST(StatusPageTest, SaysWhenItIsNotReady) {
  testing::ServedRooms served;
  served.is_ready = false;
  EXPECT_THAT(StatusPage(served.rooms()), HasSubstr("bad\">not ready</span>"));
}

TEST(EscapeHtmlTest, NoMarkupComesThrough) {
  EXPECT_EQ(EscapeHtml("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
}

}  // namespace
}  // namespace octet
