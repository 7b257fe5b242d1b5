// SPDX-License-Identifier: Apache-2.0
// TLS over a socket, as a server: what a connection reads and writes is encrypted on the way.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "openssl/types.h"

#include "server/frontends/http/byte_stream.h"

namespace octet {

// Shakes hands when it is first read from. A handshake that fails is an error of that read; a
// client that speaks plain HTTP is told so before.
//
// Why not Boost's ssl::stream: nothing may be read while it says that nothing more is written, and
// the other way round.
class TlsStream final : public ByteStream {
 public:
  using Socket = SocketStream::Socket;

  // `context` is not kept: a connection goes on with what it began with. `failed_handshakes` counts
  // those that ended without hands shaken, and is borrowed for as long as the io_context is there.
  TlsStream(Socket socket, SSL_CTX* context, std::atomic<std::uint64_t>& failed_handshakes);
  // Closes.
  ~TlsStream() override;

  void ReadSome(boost::asio::mutable_buffer into, Done done) override;
  void WriteSome(const std::vector<boost::asio::const_buffer>& from, Done done) override;
  void ShutdownSend() override;
  void Close() override;
  [[nodiscard]] boost::asio::any_io_executor executor() override;
  // With the names of the client's certificate, once hands are shaken.
  [[nodiscard]] HttpPeer peer() const override;

 private:
  class Core;  // outlives this while the socket has something to say to it

  const std::shared_ptr<Core> core_;
};

}  // namespace octet
