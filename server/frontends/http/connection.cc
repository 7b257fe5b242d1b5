// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/connection.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "boost/asio/error.hpp"
#include "boost/asio/generic/stream_protocol.hpp"
#include "boost/beast/core/basic_stream.hpp"
#include "boost/beast/core/error.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http.hpp"

namespace octet {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::uint32_t kMostHeaderBytes = 8 * 1024;
constexpr std::uint64_t kMostBodyBytes = std::uint64_t{64} * 1024;

absl::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Listener::Socket socket, const ConnectionOptions& options)
      : stream_(std::move(socket)), options_(options), buffer_(kMostHeaderBytes + kMostBodyBytes) {}
  ~Connection() { options_.on_close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Read() {
    parser_.emplace();
    parser_->header_limit(kMostHeaderBytes);
    parser_->body_limit(kMostBodyBytes);
    stream_.expires_after(options_.timeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const beast::error_code& error, std::size_t) {
                       self->OnRead(error);
                     });
  }

 private:
  using Stream = beast::basic_stream<boost::asio::generic::stream_protocol>;

  void OnRead(const beast::error_code& error) {
    if (!error) {
      const auto& request = parser_->get();
      Send(options_.answer(View(request.method_string()), View(request.target())),
           request.method() == http::verb::head, request.keep_alive(), request.version());
      return;
    }
    // An error of the HTTP itself is answered; a closed, broken or idle connection is not.
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error.category() != http::make_error_code(http::error::end_of_stream).category()) {
      Close();
      return;
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      Send(ErrorReply(431, "the header is larger than 8 KiB"), false, false, 11);
    } else if (error == http::error::body_limit) {
      Send(ErrorReply(413, "the body is larger than 64 KiB"), false, false, 11);
    } else {
      Send(ErrorReply(400, error.message()), false, false, 11);
    }
  }

  void Send(HttpReply reply, bool is_head, bool keep_alive, unsigned version) {
    response_ = {};
    response_.version(version);
    response_.result(reply.status);
    response_.set(http::field::server, "octet");
    response_.set(http::field::content_type, reply.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.set("Content-Security-Policy",
                  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    if (!reply.allow.empty()) response_.set(http::field::allow, reply.allow);
    response_.keep_alive(keep_alive);
    response_.content_length(reply.body.size());
    if (!is_head) response_.body() = std::move(reply.body);
    stream_.expires_after(options_.timeout);
    http::async_write(stream_, response_,
                      [self = shared_from_this()](const beast::error_code& error, std::size_t) {
                        self->OnSent(error);
                      });
  }

  void OnSent(const beast::error_code& error) {
    if (error || response_.need_eof()) {
      Close();
      return;
    }
    Read();
  }

  void Close() {
    beast::error_code ignored;
    stream_.socket().shutdown(boost::asio::socket_base::shutdown_send, ignored);
    stream_.close();
  }

  Stream stream_;
  const ConnectionOptions& options_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

}  // namespace

void ServeConnection(Listener::Socket socket, const ConnectionOptions& options) {
  std::make_shared<Connection>(std::move(socket), options)->Read();
}

}  // namespace octet
