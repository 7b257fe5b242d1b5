// SPDX-License-Identifier: Apache-2.0
#include "client/socket.h"

#include <algorithm>
#include <array>
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

#include "absl/strings/str_cat.h"

#include "client/address.h"

namespace octet::client {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kMostReceived = std::size_t{16} << 10;

absl::StatusOr<Socket> ConnectTo(int family, const sockaddr* to, socklen_t size,
                                 const std::string& address, Socket::Time until) {
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
                                   Socket::Time until) {
  sockaddr_un to{};
  if (path.empty() || path.size() >= sizeof(to.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("got ", address, ", wants a path of 1 to ",
                                                   sizeof(to.sun_path) - 1, " bytes"));
  }
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path.data(), path.size());
  return ConnectTo(AF_UNIX, reinterpret_cast<const sockaddr*>(&to), sizeof(to), address, until);
}

absl::StatusOr<Socket> ConnectTcp(const std::string& address, std::chrono::milliseconds timeout) {
  const absl::StatusOr<HostAndPort> parts = SplitAddress(address);
  if (!parts.ok()) return parts.status();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int outcome = getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &list);
  if (outcome != 0) {
    return absl::NotFoundError(absl::StrCat("cannot find ", address, ": ", gai_strerror(outcome)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(list, freeaddrinfo);
  absl::StatusOr<Socket> connection = absl::UnavailableError("no address");
  const auto until = steady_clock::now() + timeout;
  for (const addrinfo* each = list; each != nullptr && !connection.ok(); each = each->ai_next) {
    connection = ConnectTo(each->ai_family, each->ai_addr, each->ai_addrlen, address, until);
  }
  return connection;
}

}  // namespace

absl::StatusOr<Socket> Socket::Connect(const std::string& address,
                                       std::chrono::milliseconds timeout) {
  if (IsUnixAddress(address)) {
    return ConnectUnix(address.substr(5), address, steady_clock::now() + timeout);
  }
  return ConnectTcp(address, timeout);
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Socket::Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

bool Socket::Await(short events, Time until) const {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now());
    pollfd ready = {.fd = fd_, .events = events, .revents = 0};
    const int outcome = poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (outcome > 0) return true;
    if (outcome == 0 || errno != EINTR) return false;
  }
}

bool Socket::Send(absl::string_view bytes, Time until) const {
  while (!bytes.empty()) {
    const ssize_t size = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(size));
    } else if (size == 0 || errno != EAGAIN || !Await(POLLOUT, until)) {
      return false;
    }
  }
  return true;
}

std::string Socket::Receive(Time until) const {
  std::array<char, kMostReceived> buffer{};
  if (!Await(POLLIN, until)) return "";
  const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

}  // namespace octet::client
