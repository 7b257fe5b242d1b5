// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/request_parser.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

constexpr std::uint32_t kMostHeaderBytes = 8192;

unsigned RefusalOf(const std::string& text) {
  RequestParser parser(kMostHeaderBytes);
  const RequestParser::Progress progress = parser.ReadHead(text);
  return progress.refusal ? progress.refusal->status : 0;
}

// Fed in pieces of `step` bytes, as they come.
std::string BodyOf(const std::string& chunks, std::size_t step, unsigned* refused = nullptr) {
  RequestParser parser(kMostHeaderBytes);
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_TRUE(parser.ReadHead(head).is_done);
  EXPECT_TRUE(parser.head().is_chunked);
  BodyBuffer body;
  std::string waiting;
  for (std::size_t at = 0; at < chunks.size(); at += step) {
    waiting += chunks.substr(at, step);
    const RequestParser::Progress progress = parser.ReadChunks(waiting, 1000, body);
    waiting.erase(0, progress.consumed);
    if (progress.refusal) {
      if (refused != nullptr) *refused = progress.refusal->status;
      return "refused";
    }
    if (progress.is_done) return std::string(body.text()) + "|" + waiting;
  }
  return "unfinished";
}

TEST(RequestParserTest, ReadsAHeadInPieces) {
  const std::string text =
      "POST /v2?x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello";
  for (std::size_t step = 1; step < text.size(); ++step) {
    RequestParser parser(kMostHeaderBytes);
    std::string waiting;
    bool is_done = false;
    for (std::size_t at = 0; at < text.size() && !is_done; at += step) {
      waiting += text.substr(at, step);
      const RequestParser::Progress progress = parser.ReadHead(waiting);
      ASSERT_FALSE(progress.refusal);
      waiting.erase(0, progress.consumed);
      is_done = progress.is_done;
    }
    ASSERT_TRUE(is_done) << step;
    EXPECT_EQ(parser.head().method, "POST");
    EXPECT_EQ(parser.head().target, "/v2?x");
    EXPECT_EQ(parser.head().content_length, 5U);
    EXPECT_EQ(parser.head().Find("x-a"), "b");
    EXPECT_TRUE(parser.head().is_keep_alive);
    EXPECT_EQ(waiting, std::string("hello").substr(0, waiting.size()));
  }
}

TEST(RequestParserTest, RefusesWhatServersReadDifferently) {
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  for (const char* fields :
       {"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "Content-Length: -1\r\n\r\n",
        "Content-Length: 5x\r\n\r\n", "Content-Length: 99999999999999999999\r\n\r\n",
        "Host: y\r\n\r\n", "A b: c\r\n\r\n", "A\x01: c\r\n\r\n"}) {
    EXPECT_EQ(RefusalOf(post + fields), 400U) << fields;
  }
  EXPECT_EQ(RefusalOf(post + "Transfer-Encoding: gzip\r\n\r\n"), 501U);
  EXPECT_EQ(RefusalOf(post + "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501U);
  EXPECT_EQ(RefusalOf("GET / HTTP/1.1\r\n\r\n"), 400U);
  EXPECT_EQ(RefusalOf("GET / HTTP/1.0\r\n\r\n"), 0U);
  EXPECT_EQ(RefusalOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400U);
  EXPECT_EQ(RefusalOf("GET / HTTP/2.0\r\nHost: x\r\n\r\n"), 505U);
  EXPECT_EQ(RefusalOf("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505U);
  EXPECT_EQ(RefusalOf("\x16\x03\x01\x02 TLS\r\n\r\n"), 400U);
  EXPECT_EQ(RefusalOf("GARBAGE\r\n\r\n"), 400U);
}

TEST(RequestParserTest, HeaderIsLimited) {
  EXPECT_EQ(RefusalOf("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(9000, 'a') + "\r\n\r\n"),
            431U);
  EXPECT_EQ(RefusalOf("GET /" + std::string(9000, 'a')), 431U);
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 3000; ++i) many += "a:b\r\n";
  EXPECT_EQ(RefusalOf(many + "\r\n"), 431U);
}

TEST(RequestParserTest, ChunksAreJoined) {
  const std::string chunks = "5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\nGET";
  for (std::size_t step = 1; step <= chunks.size(); ++step) {
    EXPECT_EQ(BodyOf(chunks, step).substr(0, 12), "hello world|") << step;
  }
  std::string tiny;
  for (int i = 0; i < 900; ++i) tiny += "1\r\nx\r\n";
  EXPECT_EQ(BodyOf(tiny + "0\r\n\r\n", 777), std::string(900, 'x') + "|");
}

TEST(RequestParserTest, ChunksAreLimitedAndChecked) {
  unsigned status = 0;
  std::string many;
  for (int i = 0; i < 11; ++i) many += "64\r\n" + std::string(100, 'x') + "\r\n";
  EXPECT_EQ(BodyOf(many + "0\r\n\r\n", 64, &status), "refused");
  EXPECT_EQ(status, 413U);
  for (const char* chunks : {"zz\r\n", "ffffffffffffffffff\r\n", "5\r\nhelloXY\r\n", "-1\r\n"}) {
    status = 0;
    EXPECT_EQ(BodyOf(chunks, 100, &status), "refused") << chunks;
    EXPECT_EQ(status, 400U) << chunks;
  }
  EXPECT_EQ(BodyOf("5;" + std::string(20'000, 'x'), 1000, &status), "refused");
}

}  // namespace
}  // namespace octet
