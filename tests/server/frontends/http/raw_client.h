// SPDX-License-Identifier: Apache-2.0
// An HTTP client that sends what it is told, and nothing else.

#pragma once

#include <string>
#include <sys/socket.h>
#include <sys/time.h>

#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/local/stream_protocol.hpp"
#include "boost/asio/read.hpp"
#include "boost/asio/write.hpp"

namespace octet::testing {

inline constexpr const char* kGetLive = "GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n";

// A plain client whose reads end after 20 s rather than hang.
template <typename Protocol>
class RawClient {
 public:
  explicit RawClient(const typename Protocol::endpoint& endpoint) : socket_(context_) {
    socket_.connect(endpoint);
    timeval timeout{20, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  }
  void Send(const std::string& text) {
    boost::system::error_code ignored;  // the server may have closed already
    boost::asio::write(socket_, boost::asio::buffer(text), ignored);
  }
  void Close() { socket_.close(); }
  // All that comes until the server closes.
  std::string ReadToEnd() {
    std::string text;
    boost::system::error_code ignored;
    boost::asio::read(socket_, boost::asio::dynamic_buffer(text), ignored);
    return text;
  }
  // Until `end` has come.
  std::string ReadUntil(const std::string& end) {
    std::string text;
    boost::system::error_code error;
    char byte = 0;
    while (!error && text.find(end) == std::string::npos) {
      if (boost::asio::read(socket_, boost::asio::buffer(&byte, 1), error) == 1)
        text.push_back(byte);
    }
    return text;
  }

 private:
  boost::asio::io_context context_;
  typename Protocol::socket socket_;
};

inline boost::asio::ip::tcp::endpoint EndpointOf(const std::string& address) {
  return {boost::asio::ip::make_address("127.0.0.1"),
          static_cast<unsigned short>(std::stoi(address.substr(address.rfind(':') + 1)))};
}

}  // namespace octet::testing
