// SPDX-License-Identifier: Apache-2.0

#include "server/tracing/collector_client.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/core/tcp_stream.hpp"
#include "boost/beast/http.hpp"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"

namespace octet {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using std::chrono::steady_clock;
using TimePoint = steady_clock::time_point;

constexpr std::uint64_t kMostReplyBytes = 64 << 10;
constexpr std::uint32_t kMostReplyHeaderBytes = 16 << 10;
constexpr char kDefaultPort[] = "4318";
constexpr char kSignalPath[] = "/v1/traces";

// Without what may be a secret: a user with a password, and a query.
std::string Harmless(absl::string_view url) {
  const std::size_t end = std::min(url.find_first_of("?#"), url.size());
  const absl::string_view place = url.substr(0, end);
  const std::size_t at = place.rfind('@');
  return absl::StrCat(at == absl::string_view::npos ? place : "...",
                      at == absl::string_view::npos ? "" : place.substr(at), url.substr(end, 1),
                      end == url.size() ? "" : "...");
}

absl::Status Unfit(absl::string_view url, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("got ", Quoted(Harmless(url)), ", wants http://HOST:PORT", why));
}

bool IsPort(absl::string_view text) {
  std::uint32_t port = 0;
  return !text.empty() && absl::ascii_isdigit(static_cast<unsigned char>(text[0])) &&
         absl::SimpleAtoi(text, &port) && port >= 1 && port <= 65535;
}

std::optional<std::chrono::seconds> RetryAfter(absl::string_view text) {
  std::int64_t seconds = 0;
  constexpr std::int64_t kMost = 3600;
  // A date is not read: the exporter's own rule goes then.
  if (!absl::SimpleAtoi(text, &seconds) || seconds < 0) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, kMost));
}

}  // namespace

absl::StatusOr<CollectorEndpoint> ParseCollectorEndpoint(absl::string_view url, EndpointKind kind) {
  absl::string_view rest = url;
  if (absl::StartsWith(url, "https://")) {
    return Unfit(url, ": TLS is a collector's beside the server to do");
  }
  if (!absl::ConsumePrefix(&rest, "http://")) return Unfit(url, "");
  const bool is_clean = std::all_of(rest.begin(), rest.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '@' && c != '?' && c != '#';
  });
  if (!is_clean) return Unfit(url, " and a path alone: no user, query or blank");
  CollectorEndpoint endpoint;
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  absl::string_view authority = rest.substr(0, slash);
  absl::string_view path = rest.substr(slash);
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != absl::string_view::npos && (bracket == absl::string_view::npos || colon > bracket);
  endpoint.port = has_port ? std::string(authority.substr(colon + 1)) : kDefaultPort;
  if (has_port) authority = authority.substr(0, colon);
  if (absl::ConsumePrefix(&authority, "[") && !absl::ConsumeSuffix(&authority, "]")) {
    return Unfit(url, "");
  }
  if (authority.empty() || !IsPort(endpoint.port)) return Unfit(url, "");
  endpoint.host = std::string(authority);
  if (kind == EndpointKind::kWhole) {
    endpoint.path = path.empty() ? "/" : std::string(path);
  } else {
    while (absl::ConsumeSuffix(&path, "/")) {
    }
    endpoint.path = absl::StrCat(path, kSignalPath);
  }
  return endpoint;
}

// Operations are asynchronous, because only those can be given up; each is awaited at once.
class CollectorClient::Connection {
 public:
  Connection(const CollectorEndpoint& endpoint, const std::atomic<steady_clock::rep>& give_up_at)
      : endpoint_(endpoint), give_up_at_(give_up_at), resolver_(context_), stream_(context_) {}

  [[nodiscard]] bool is_open() const { return is_open_; }

  absl::StatusOr<CollectorReply> Post(const std::string& body, TimePoint deadline) {
    deadline_ = deadline;
    RETURN_IF_ERROR(Open());
    http::request<http::string_body> request(http::verb::post, endpoint_.path, 11);
    const bool is_v6 = absl::StrContains(endpoint_.host, ':');
    request.set(http::field::host, is_v6 ? absl::StrCat("[", endpoint_.host, "]:", endpoint_.port)
                                         : absl::StrCat(endpoint_.host, ":", endpoint_.port));
    request.set(http::field::content_type, "application/x-protobuf");
    request.set(http::field::user_agent, "octet-server");
    request.body() = body;
    request.prepare_payload();
    RETURN_IF_ERROR(
        Await("send to", [&](auto done) { http::async_write(stream_, request, done); }));
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMostReplyBytes);
    parser.header_limit(kMostReplyHeaderBytes);
    beast::flat_buffer buffer;
    RETURN_IF_ERROR(Await("be answered by",
                          [&](auto done) { http::async_read(stream_, buffer, parser, done); }));
    const auto& response = parser.get();
    is_open_ = response.keep_alive();
    const auto retry_after = response[http::field::retry_after];
    return CollectorReply{
        .status = response.result_int(),
        .retry_after = RetryAfter(absl::string_view(retry_after.data(), retry_after.size())),
        .body = response.body()};
  }

 private:
  absl::Status Open() {
    if (is_open_) return absl::OkStatus();
    asio::ip::tcp::resolver::results_type found;
    RETURN_IF_ERROR(Await("find", [&](auto done) {
      resolver_.async_resolve(endpoint_.host, endpoint_.port,
                              [&found, done](beast::error_code error, auto results) mutable {
                                found = results;
                                done(error, 0);
                              });
    }));
    RETURN_IF_ERROR(Await("reach", [&](auto done) {
      stream_.async_connect(
          found, [done](beast::error_code error, const auto&) mutable { done(error, 0); });
    }));
    is_open_ = true;
    return absl::OkStatus();
  }

  [[nodiscard]] TimePoint Deadline() const {
    return std::min(deadline_, TimePoint(steady_clock::duration(give_up_at_.load())));
  }

  // Starts an operation by `start(handler)`, and runs it to its end or the deadline.
  template <typename Start>
  absl::Status Await(const char* what, Start start) {
    std::optional<beast::error_code> outcome;
    stream_.expires_never();
    start([&outcome](beast::error_code error, std::size_t /*size*/) { outcome = error; });
    // The end of it all may be moved from another thread meanwhile.
    constexpr std::chrono::milliseconds kLook{100};
    context_.restart();
    while (!outcome && steady_clock::now() < Deadline()) {
      context_.run_one_until(std::min(Deadline(), steady_clock::now() + kLook));
      if (context_.stopped()) context_.restart();
    }
    const bool is_late = !outcome;
    if (is_late) {
      resolver_.cancel();
      stream_.close();
      context_.restart();
      while (!outcome) context_.run_one();  // its handler refers to what is here
    }
    if (!*outcome && !is_late) return absl::OkStatus();
    is_open_ = false;
    stream_.close();
    const std::string place =
        absl::StrCat("cannot ", what, " ", endpoint_.host, ":", endpoint_.port);
    if (is_late) return absl::DeadlineExceededError(absl::StrCat(place, " in time"));
    return absl::UnavailableError(absl::StrCat(place, ": ", outcome->message()));
  }

  const CollectorEndpoint& endpoint_;
  const std::atomic<steady_clock::rep>& give_up_at_;
  asio::io_context context_{1};
  asio::ip::tcp::resolver resolver_;
  beast::tcp_stream stream_;
  TimePoint deadline_;
  bool is_open_ = false;
};

CollectorClient::CollectorClient(CollectorEndpoint endpoint)
    : endpoint_(std::move(endpoint)),
      give_up_at_(TimePoint::max().time_since_epoch().count()),
      connection_(std::make_unique<Connection>(endpoint_, give_up_at_)) {}

CollectorClient::~CollectorClient() = default;

void CollectorClient::GiveUpAt(TimePoint time) { give_up_at_ = time.time_since_epoch().count(); }

absl::StatusOr<CollectorReply> CollectorClient::Post(const std::string& body,
                                                     std::chrono::milliseconds timeout) {
  const TimePoint deadline = steady_clock::now() + timeout;
  const bool was_open = connection_->is_open();
  absl::StatusOr<CollectorReply> reply = connection_->Post(body, deadline);
  // The collector may close what was kept open at any moment.
  if (was_open && absl::IsUnavailable(reply.status())) return connection_->Post(body, deadline);
  return reply;
}

}  // namespace octet
