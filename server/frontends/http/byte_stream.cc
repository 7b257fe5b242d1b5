// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/byte_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include "server/access/own_machine.h"

namespace octet {
namespace {

HttpPeer PeerOf(SocketStream::Socket& socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (::getpeername(socket.native_handle(), address, &size) != 0) return {};
  return {.is_own_machine = IsOwnMachine(address, size)};
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
