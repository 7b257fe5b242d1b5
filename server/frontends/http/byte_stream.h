// SPDX-License-Identifier: Apache-2.0
// What a connection reads from and writes to, whatever carries it: TCP, a Unix socket, or what
// wraps one.

#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "boost/asio/buffer.hpp"
#include "boost/asio/generic/stream_protocol.hpp"
#include "boost/system/error_code.hpp"

#include "server/frontends/http/http_message.h"

namespace octet {

// Thread safety: the thread that runs its io_context, only.
class ByteStream {
 public:
  // Called later, on the thread, with how many bytes went; end of file is an error.
  using Done = std::function<void(const boost::system::error_code& error, std::size_t bytes)>;

  virtual ~ByteStream() = default;

  // One read and one write may be under way at a time. The buffers stay until `done`; an empty one
  // is done at once.
  virtual void ReadSome(boost::asio::mutable_buffer into, Done done) = 0;
  virtual void WriteSome(const std::vector<boost::asio::const_buffer>& from, Done done) = 0;
  // Says that nothing more will be written.
  virtual void ShutdownSend() = 0;
  // Ends what is under way, with an error.
  virtual void Close() = 0;

  [[nodiscard]] virtual boost::asio::any_io_executor executor() = 0;
  [[nodiscard]] virtual HttpPeer peer() const = 0;
};

// A socket as it is.
class SocketStream final : public ByteStream {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  explicit SocketStream(Socket socket);

  void ReadSome(boost::asio::mutable_buffer into, Done done) override;
  void WriteSome(const std::vector<boost::asio::const_buffer>& from, Done done) override;
  void ShutdownSend() override;
  void Close() override;
  [[nodiscard]] boost::asio::any_io_executor executor() override { return socket_.get_executor(); }
  [[nodiscard]] HttpPeer peer() const override { return peer_; }

 private:
  Socket socket_;
  const HttpPeer peer_;
};

}  // namespace octet
