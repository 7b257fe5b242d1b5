// SPDX-License-Identifier: Apache-2.0

#include "server/tracing/collector_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using ::testing::HasSubstr;

CollectorEndpoint Parsed(absl::string_view url, EndpointKind kind = EndpointKind::kBase) {
  return ParseCollectorEndpoint(url, kind).value_or(CollectorEndpoint{});
}

TEST(CollectorEndpointTest, BaseHasThePathAdded) {
  EXPECT_EQ(Parsed("http://collector"), (CollectorEndpoint{"collector", "4318", "/v1/traces"}));
  EXPECT_EQ(Parsed("http://collector:80/"), (CollectorEndpoint{"collector", "80", "/v1/traces"}));
  EXPECT_EQ(Parsed("http://c:80/otlp//"), (CollectorEndpoint{"c", "80", "/otlp/v1/traces"}));
  EXPECT_EQ(Parsed("http://[::1]:4318"), (CollectorEndpoint{"::1", "4318", "/v1/traces"}));
  EXPECT_EQ(Parsed("http://[::1]"), (CollectorEndpoint{"::1", "4318", "/v1/traces"}));
  EXPECT_EQ(Parsed("http://c:1/x", EndpointKind::kWhole), (CollectorEndpoint{"c", "1", "/x"}));
  EXPECT_EQ(Parsed("http://c:1", EndpointKind::kWhole), (CollectorEndpoint{"c", "1", "/"}));
}

TEST(CollectorEndpointTest, WhatIsNoneIsRefused) {
  for (const char* const url :
       {"", "collector:4318", "https://collector", "grpc://collector", "http://", "http://:80",
        "http://c:", "http://c:0", "http://c:65536", "http://c:+1", "http://c:x", "http://[::1",
        "http://user:secret@c", "http://c/a b", "http://c/\r\nX: y", "http://c?x", "http://c#x"}) {
    EXPECT_FALSE(ParseCollectorEndpoint(url, EndpointKind::kBase).ok()) << url;
  }
}

TEST(CollectorEndpointTest, WhatMayBeSecretIsNotRepeated) {
  const auto error = [](absl::string_view url) {
    return std::string(ParseCollectorEndpoint(url, EndpointKind::kBase).status().message());
  };
  EXPECT_THAT(error("http://user:s3cret@c:1/x?key=s3cret"), HasSubstr("got \"...@c:1/x?...\""));
  EXPECT_THAT(error("https://user:s3cret@c"), HasSubstr("got \"...@c\""));
  EXPECT_THAT(error("ftp://c/x"), HasSubstr("got \"ftp://c/x\""));
}

// Takes connections one after another, and answers each request of theirs with the next of
// `answers`; an empty answer: none.
class FakeCollector {
 public:
  explicit FakeCollector(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    endpoint_ = {"127.0.0.1", absl::StrCat(ntohs(address.sin_port)), "/v1/traces"};
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeCollector() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  [[nodiscard]] const CollectorEndpoint& endpoint() const { return endpoint_; }

 private:
  void Serve() {
    std::size_t next = 0;
    while (next < answers_.size()) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      std::string read;
      char buffer[4096];
      for (ssize_t n = 0; (n = recv(connection, buffer, sizeof(buffer), 0)) > 0;) {
        read.append(buffer, static_cast<std::size_t>(n));
        if (!absl::EndsWith(read, "the body")) continue;
        read.clear();
        const std::string& answer = answers_[next++];
        if (answer.empty()) continue;
        (void)send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
        if (next == answers_.size() || absl::StrContains(answer, "close")) break;
      }
      close(connection);
    }
  }

  const std::vector<std::string> answers_;
  int listener_ = -1;
  CollectorEndpoint endpoint_;
  std::thread thread_;
};

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(CollectorClientTest, ConnectionIsKeptAndRenewed) {
  const FakeCollector collector(
      {kOk, kOk, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 429 Slow Down\r\nRetry-After: 12\r\n"
       "Content-Length: 0\r\n\r\n"});
  CollectorClient client(collector.endpoint());
  for (int i = 0; i < 2; ++i) {
    const auto reply = client.Post("the body", 10s);
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->status, 200U);
    EXPECT_EQ(reply->body, "ok");
    EXPECT_EQ(reply->retry_after, std::nullopt);
  }
  ASSERT_TRUE(client.Post("the body", 10s).ok());
  const auto busy = client.Post("the body", 10s);
  ASSERT_TRUE(busy.ok()) << busy.status();
  EXPECT_EQ(busy->status, 429U);
  EXPECT_EQ(busy->retry_after, 12s);
}

TEST(CollectorClientTest, NobodyThereIsUnavailable) {
  CollectorClient client({"127.0.0.1", "1", "/"});
  EXPECT_EQ(client.Post("the body", 10s).status().code(), absl::StatusCode::kUnavailable);
}

TEST(CollectorClientTest, SilenceEndsInTime) {
  const FakeCollector collector({"", kOk});
  CollectorClient client(collector.endpoint());
  EXPECT_EQ(client.Post("the body", 150ms).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(client.Post("the body", 10s).ok());
}

TEST(CollectorClientTest, GivesUpWhenItIsTold) {
  const FakeCollector collector({"", ""});
  CollectorClient client(collector.endpoint());
  std::thread other([&client] {
    std::this_thread::sleep_for(100ms);
    client.GiveUpAt(std::chrono::steady_clock::now());
  });
  EXPECT_EQ(client.Post("the body", 60s).status().code(), absl::StatusCode::kDeadlineExceeded);
  other.join();
  EXPECT_EQ(client.Post("the body", 60s).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(CollectorClientTest, WhatIsTooMuchOrNoHttpIsUnavailable) {
  for (const std::string& answer :
       {std::string("SSH-2.0-x\r\n\r\n"),
        absl::StrCat("HTTP/1.1 200 OK\r\nX: ", std::string(1 << 15, 'x'), "\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")}) {
    const FakeCollector collector({answer});
    CollectorClient client(collector.endpoint());
    EXPECT_EQ(client.Post("the body", 10s).status().code(), absl::StatusCode::kUnavailable);
  }
}

}  // namespace
}  // namespace octet
