// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/http_server.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/local/stream_protocol.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/server/frontends/http/raw_client.h"
#include "tests/server/frontends/http/served_rooms.h"

namespace octet {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::EndpointOf;
using testing::kGetLive;
using testing::RawClient;
using std::chrono_literals::operator""ms;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpServer::Options options) {
    auto server = HttpServer::Create(std::move(options), served_.rooms());
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void Start() { Start({.http_address = "127.0.0.1:0", .metrics_address = "127.0.0.1:0"}); }
  std::string Ask(const std::string& request) {
    RawClient<tcp> client(EndpointOf(server_->http_address()));
    client.Send(request);
    return client.ReadToEnd();
  }

  testing::ServedRooms served_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, BothAddressesAnswerOnRealPorts) {
  Start();
  EXPECT_NE(server_->http_address(), "127.0.0.1:0");
  EXPECT_THAT(Ask("GET /v2/health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200 OK\r\n"));
  RawClient<tcp> metrics(EndpointOf(server_->metrics_address()));
  metrics.Send("GET /metrics HTTP/1.0\r\n\r\n");
  EXPECT_THAT(metrics.ReadToEnd(), HasSubstr("octet_models_loaded 1\n"));
}

TEST_F(HttpServerTest, ConnectionIsKeptForFurtherRequests) {
  Start();
  RawClient<tcp> client(EndpointOf(server_->http_address()));
  for (int i = 0; i < 3; ++i) {
    client.Send(kGetLive);
    EXPECT_THAT(client.ReadUntil("{\"live\":true}"), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
}

TEST_F(HttpServerTest, HeadHasTheLengthAndNoBody) {
  Start();
  const std::string reply =
      Ask("HEAD /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(reply, HasSubstr("Content-Length: 13\r\n"));
  EXPECT_THAT(reply, ::testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, HostileRequestsAreAnsweredAndTheServerLives) {
  Start();
  EXPECT_THAT(Ask("GARBAGE\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask(absl::StrCat("GET / HTTP/1.1\r\nX: ", std::string(9000, 'a'), "\r\n\r\n")),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(
      Ask("POST /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab"),
      HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(Ask("GET /v2/health/live HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.0 200 "));
}

TEST_F(HttpServerTest, IdleConnectionIsClosedAfterTheTimeout) {
  Start({.http_address = "127.0.0.1:0",
         .metrics_address = "127.0.0.1:0",
         .limits = {.header_time = 50ms, .idle_time = 50ms}});
  RawClient<tcp> client(EndpointOf(server_->http_address()));
  EXPECT_EQ(client.ReadToEnd(), "");
  RawClient<tcp> slow(EndpointOf(server_->http_address()));
  slow.Send("GET / HT");
  EXPECT_THAT(slow.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServerTest, ConnectionsBeyondTheLimitAreClosed) {
  Start({.http_address = "127.0.0.1:0", .metrics_address = "127.0.0.1:0", .max_connections = 2});
  std::vector<std::unique_ptr<RawClient<tcp>>> held;
  for (int i = 0; i < 2; ++i) {
    held.push_back(std::make_unique<RawClient<tcp>>(EndpointOf(server_->http_address())));
    held.back()->Send(kGetLive);
    EXPECT_THAT(held.back()->ReadUntil("{\"live\":true}"), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_THAT(RawClient<tcp>(EndpointOf(server_->http_address())).ReadToEnd(),
              StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(held.size(), 2U);
}

TEST_F(HttpServerTest, UnixSocketsServeAndReplaceStaleFiles) {
  const std::string path = served_.folder() / "http.sock";
  {
    // What a server that was killed leaves behind: a bound file, and nobody listening.
    asio::io_context context;
    asio::local::stream_protocol::acceptor stale(context,
                                                 asio::local::stream_protocol::endpoint(path));
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  Start({.http_address = "unix:" + path, .metrics_address = "127.0.0.1:0"});
  EXPECT_EQ(server_->http_address(), "unix:" + path);
  {
    RawClient<asio::local::stream_protocol> client{asio::local::stream_protocol::endpoint(path)};
    client.Send("GET /v2/health/live HTTP/1.0\r\n\r\n");
    EXPECT_THAT(client.ReadToEnd(), HasSubstr("{\"live\":true}"));
  }
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(HttpServerTest, AddressThatCannotBeBoundIsNamed) {
  Start();
  const auto second = HttpServer::Create(
      {.http_address = server_->http_address(), .metrics_address = "127.0.0.1:0"}, served_.rooms());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(server_->http_address()));
  const auto unresolved = HttpServer::Create(
      {.http_address = "no.such.host.invalid:0", .metrics_address = "127.0.0.1:0"},
      served_.rooms());
  EXPECT_EQ(unresolved.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HttpServerTest, EndsWhileConnectionsAreOpen) {
  Start();
  RawClient<tcp> client(EndpointOf(server_->http_address()));
  client.Send("GET / HT");
  server_.reset();
  EXPECT_EQ(client.ReadToEnd(), "");
}

}  // namespace
}  // namespace octet
