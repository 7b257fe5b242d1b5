// SPDX-License-Identifier: Apache-2.0
#include "client/http_request.h"

#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "client/address.h"
#include "client/explanation.h"
#include "client/socket.h"
#include "client/tls_socket.h"

namespace octet::client {
namespace {

constexpr std::size_t kMostAnswerBytes = std::size_t{16} << 20;

std::string Request(const std::string& address, const Credentials* credentials,
                    absl::string_view method, absl::string_view path) {
  const std::string authorization =
      credentials != nullptr && credentials->has_token()
          ? absl::StrCat("Authorization: ", credentials->authorization(), "\r\n")
          : "";
  const std::string host = IsUnixAddress(address) ? "localhost" : address;
  return absl::StrCat(method, " ", path, " HTTP/1.0\r\nHost: ", host, "\r\n", authorization,
                      "Accept: application/json, text/plain\r\nConnection: close\r\n",
                      method == "POST" ? "Content-Length: 0\r\n\r\n" : "\r\n");
}

// Everything until the end, from a Socket or a TlsSocket.
template <typename Connection>
absl::StatusOr<std::string> Exchange(const std::string& request, Socket::Time until,
                                     Connection& connection) {
  std::string answer;
  // A server may answer and close before it has read everything.
  static_cast<void>(connection.Send(request, until));
  while (true) {
    const std::string more = connection.Receive(until);
    if (more.empty()) return answer;
    answer += more;
    if (answer.size() > kMostAnswerBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the answer has more than ", kMostAnswerBytes, " bytes"));
    }
  }
}

absl::StatusOr<std::string> ExchangeTls(const std::string& address, const Credentials& credentials,
                                        Socket socket, const std::string& request,
                                        Socket::Time until) {
  TlsReport report{.fault = TlsFault::kNone,
                   .reason = {},
                   .version = {},
                   .certificate = nullptr,
                   .server_name = credentials.ServerNameAt(address)};
  TlsSocket tls(std::move(socket), credentials, report.server_name, "http/1.1", until);
  absl::StatusOr<std::string> answer = "";
  if (tls.fault() == TlsFault::kNone) answer = Exchange(request, until, tls);
  if (tls.fault() == TlsFault::kNone) return answer;
  report.fault = tls.fault();
  report.reason = tls.reason();
  if (tls.certificate() != nullptr) {
    report.certificate = std::make_unique<ServerCertificate>(*tls.certificate());
  }
  return absl::UnavailableError(DescribeTlsFault(address, report));
}

}  // namespace

std::optional<std::string> HttpAnswer::Field(absl::string_view name) const {
  for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::EqualsIgnoreCase(field.first, name)) {
      return std::string(absl::StripAsciiWhitespace(field.second));
    }
  }
  return std::nullopt;
}

std::optional<std::chrono::system_clock::time_point> HttpAnswer::Date() const {
  const std::optional<std::string> text = Field("date");
  std::tm time{};
  // As RFC 9110 has it, in English whatever the locale: the program never sets one.
  if (!text || strptime(text->c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) == nullptr) {
    return std::nullopt;
  }
  return std::chrono::system_clock::from_time_t(timegm(&time));
}

absl::StatusOr<HttpAnswer> ParseHttpAnswer(std::string text) {
  const std::size_t end = text.find("\r\n\r\n");
  const std::vector<absl::string_view> words =
      absl::StrSplit(absl::string_view(text).substr(0, text.find("\r\n")), absl::MaxSplits(' ', 2));
  HttpAnswer answer;
  if (end == std::string::npos || words.size() < 2 || !absl::StartsWith(words[0], "HTTP/1.") ||
      words[1].size() != 3 || !absl::SimpleAtoi(words[1], &answer.status)) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", text.size(), " bytes that are no answer of HTTP/1"));
  }
  answer.head = text.substr(0, end);
  answer.body = text.substr(end + 4);
  return answer;
}

absl::StatusOr<HttpAnswer> AskHttp(const std::string& address, const Credentials* credentials,
                                   absl::string_view method, absl::string_view path,
                                   std::chrono::milliseconds timeout) {
  if (credentials != nullptr) {
    if (absl::Status status = credentials->CheckUseAt(address); !status.ok()) return status;
  }
  absl::StatusOr<Socket> socket = Socket::Connect(address, timeout);
  if (!socket.ok()) return socket.status();
  const Socket::Time until = std::chrono::steady_clock::now() + timeout;
  const std::string request = Request(address, credentials, method, path);
  absl::StatusOr<std::string> answer =
      credentials != nullptr && credentials->has_tls()
          ? ExchangeTls(address, *credentials, *std::move(socket), request, until)
          : Exchange(request, until, *socket);
  if (!answer.ok()) return answer.status();
  if (answer->empty()) {
    return absl::UnavailableError(absl::StrCat(address, ": no answer to ", method, " ", path));
  }
  return ParseHttpAnswer(*std::move(answer));
}

}  // namespace octet::client
