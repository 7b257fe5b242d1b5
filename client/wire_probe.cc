// SPDX-License-Identifier: Apache-2.0
#include "client/wire_probe.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace octet::client {
namespace {

using std::chrono::steady_clock;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  // Whether `events` came in time.
  [[nodiscard]] bool Await(short events, steady_clock::time_point until) const {
    while (true) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now());
      pollfd ready = {.fd = fd_, .events = events, .revents = 0};
      const int outcome =
          poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
      if (outcome > 0) return true;
      if (outcome == 0 || errno != EINTR) return false;
    }
  }

 private:
  int fd_;
};

absl::StatusOr<Socket> Connect(int family, const sockaddr* to, socklen_t size,
                               const std::string& address, steady_clock::time_point until) {
  Socket connection(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int error = 0;
  if (connect(connection.fd(), to, size) != 0) {
    error = errno;
    if (error == EINPROGRESS) {
      if (!connection.Await(POLLOUT, until)) {
        return absl::DeadlineExceededError(absl::StrCat("no connection to ", address, " in time"));
      }
      socklen_t length = sizeof(error);
      getsockopt(connection.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
    }
  }
  if (error == 0) return connection;
  return absl::UnavailableError(
      absl::StrCat("no connection to ", address, ": ", std::generic_category().message(error)));
}

absl::StatusOr<Socket> ConnectUnix(const std::string& path, const std::string& address,
                                   steady_clock::time_point until) {
  sockaddr_un to{};
  if (path.empty() || path.size() >= sizeof(to.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("got ", address, ", wants a path of 1 to ",
                                                   sizeof(to.sun_path) - 1, " bytes"));
  }
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path.data(), path.size());
  return Connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&to), sizeof(to), address, until);
}

absl::StatusOr<Socket> ConnectTcp(const std::string& address, std::chrono::milliseconds timeout) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
    return absl::InvalidArgumentError(absl::StrCat("got ", address, ", wants host:port"));
  }
  absl::string_view host = absl::string_view(address).substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int outcome =
      getaddrinfo(std::string(host).c_str(), address.c_str() + colon + 1, &hints, &list);
  if (outcome != 0) {
    return absl::NotFoundError(absl::StrCat("cannot find ", address, ": ", gai_strerror(outcome)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(list, freeaddrinfo);
  absl::StatusOr<Socket> connection = absl::UnavailableError("no address");
  const auto until = steady_clock::now() + timeout;
  for (const addrinfo* each = list; each != nullptr && !connection.ok(); each = each->ai_next) {
    connection = Connect(each->ai_family, each->ai_addr, each->ai_addrlen, address, until);
  }
  return connection;
}

WireKind KindOf(absl::string_view first) {
  constexpr char kTlsAlert = 0x15;
  constexpr char kTlsHandshake = 0x16;
  constexpr std::size_t kFrameType = 3;
  constexpr char kSettings = 4;
  if (first.empty()) return WireKind::kSilent;
  if (first[0] == kTlsAlert || first[0] == kTlsHandshake) return WireKind::kTls;
  if (absl::StartsWith(first, "HTTP/1")) return WireKind::kHttp1;
  if (first.size() > kFrameType && first[kFrameType] == kSettings) return WireKind::kHttp2;
  return WireKind::kOther;
}

}  // namespace

absl::StatusOr<WireKind> ProbeWire(const std::string& address, std::chrono::milliseconds timeout) {
  const auto until = steady_clock::now() + timeout;
  absl::StatusOr<Socket> connection = absl::StartsWith(address, "unix:")
                                          ? ConnectUnix(address.substr(5), address, until)
                                          : ConnectTcp(address, timeout);
  if (!connection.ok()) return connection.status();
  // The preface of HTTP/2, and an empty SETTINGS frame.
  // The literal's own end is the frame's last byte.
  constexpr char kBegin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
  if (send(connection->fd(), kBegin, sizeof(kBegin), MSG_NOSIGNAL) < 0) return WireKind::kSilent;
  std::string first;
  constexpr std::size_t kEnough = 9;
  while (first.size() < kEnough && connection->Await(POLLIN, until)) {
    char buffer[64];
    const ssize_t size = recv(connection->fd(), buffer, sizeof(buffer), 0);
    if (size <= 0) break;
    first.append(buffer, static_cast<std::size_t>(size));
  }
  return KindOf(first);
}

}  // namespace octet::client
