// SPDX-License-Identifier: Apache-2.0
#include "client/http_request.h"

#include <ctime>
#include <string>

#include "gtest/gtest.h"

namespace octet::client {
namespace {

TEST(HttpRequestTest, AnAnswerIsTakenApart) {
  const auto answer = ParseHttpAnswer(
      "HTTP/1.1 200 OK\r\nServer: octet\r\nDATE:  Sat, 28 Feb 2026 23:59:59 GMT \r\n\r\n{}");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "{}");
  EXPECT_EQ(answer->Field("server"), "octet");
  EXPECT_EQ(answer->Field("x"), std::nullopt);
  ASSERT_TRUE(answer->Date().has_value());
  EXPECT_EQ(std::chrono::system_clock::to_time_t(*answer->Date()), 1772323199);
}

TEST(HttpRequestTest, ADateThatIsNoneIsNone) {
  for (const char* const head : {"HTTP/1.0 204 \r\n\r\n", "HTTP/1.0 204 \r\nDate: now\r\n\r\n",
                                 "HTTP/1.0 204 \r\nDate:\r\n\r\n"}) {
    const auto answer = ParseHttpAnswer(head);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->Date(), std::nullopt) << head;
  }
}

TEST(HttpRequestTest, WhatIsNoHttpIsAnError) {
  for (const char* const text :
       {"", "\r\n\r\n", "SSH-2.0-OpenSSH_9\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nServer: x\r\n"}) {
    EXPECT_EQ(ParseHttpAnswer(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(HttpRequestTest, NobodyThereIsUnavailable) {
  EXPECT_EQ(
      AskHttp("127.0.0.1:1", nullptr, "GET", "/", std::chrono::milliseconds(5000)).status().code(),
      absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace octet::client
