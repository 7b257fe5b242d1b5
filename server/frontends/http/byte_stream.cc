// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/byte_stream.h"

#include <array>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

namespace octet {
namespace {

bool IsLoopback(const in_addr& address) { return ntohl(address.s_addr) >> 24 == 127; }

HttpPeer PeerOf(SocketStream::Socket& socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (::getpeername(socket.native_handle(), address, &size) != 0) return {};
  if (storage.ss_family == AF_UNIX) return {.is_own_machine = true};
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof(v4));
    return {.is_own_machine = IsLoopback(v4.sin_addr)};
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof(v6));
    if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      return {.is_own_machine = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) != 0};
    }
    in_addr v4{};
    std::memcpy(&v4, &v6.sin6_addr.s6_addr[12], sizeof(v4));
    return {.is_own_machine = IsLoopback(v4)};
  }
  return {};
}

}  // namespace

SocketStream::SocketStream(Socket socket) : socket_(std::move(socket)), peer_(PeerOf(socket_)) {
  // An answer in two writes is not to wait for the first's acknowledgement. Fails on Unix sockets.
  const int on = 1;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void SocketStream::ReadSome(boost::asio::mutable_buffer into, Done done) {
  socket_.async_read_some(into, std::move(done));
}

void SocketStream::WriteSome(const std::vector<boost::asio::const_buffer>& from, Done done) {
  socket_.async_write_some(from, std::move(done));
}

void SocketStream::ShutdownSend() {
  boost::system::error_code ignored;
  socket_.shutdown(boost::asio::socket_base::shutdown_send, ignored);
}

void SocketStream::Close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace octet
