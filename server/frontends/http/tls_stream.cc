// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/tls_stream.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/error.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/write.hpp"
#include "openssl/bio.h"
#include "openssl/err.h"
#include "openssl/ssl.h"

#include "server/access/tls_credentials.h"

namespace octet {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Of one read of the socket, and of one write: a record holds 16 KiB.
constexpr std::size_t kReadBytes = std::size_t{16} << 10;
constexpr std::size_t kWriteBytes = std::size_t{64} << 10;
// What waits to leave: with more of it nothing is read, so that a client cannot make us answer to
// it without taking the answers.
constexpr std::size_t kMostWaitingBytes = std::size_t{256} << 10;

error_code HandshakeFailed() {
  return boost::system::errc::make_error_code(boost::system::errc::protocol_error);
}

// What a client gets that does not speak TLS.
std::string PlainHttpReply() {
  const std::string body = "{\"error\":\"this address speaks TLS: use https://\"}";
  return absl::StrCat(
      "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
      "Content-Length: ",
      body.size(), "\r\n\r\n", body);
}

}  // namespace

class TlsStream::Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(Socket socket, SSL_CTX* context, std::atomic<std::uint64_t>& failed_handshakes)
      : plain_(std::move(socket)),
        connection_(SSL_new(context), &SSL_free),
        failed_handshakes_(failed_handshakes) {
    if (connection_ == nullptr) return;  // out of memory: the first read fails
    incoming_ = BIO_new(BIO_s_mem());
    outgoing_ = BIO_new(BIO_s_mem());
    SSL_set_bio(connection_.get(), incoming_, outgoing_);  // which owns both from now on
    SSL_set_accept_state(connection_.get());
  }

  // However it ended: refused, given up, or cut off for its slowness.
  ~Core() {
    if (!has_shaken_hands_) failed_handshakes_.fetch_add(1, std::memory_order_relaxed);
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  void Read(asio::mutable_buffer into, Done done) {
    if (into.size() == 0) return Later(std::move(done), {}, 0);
    into_ = into;
    read_done_ = std::move(done);
    Advance();
  }

  void Write(const std::vector<asio::const_buffer>& from, Done done) {
    if (is_failed_ || connection_ == nullptr || SSL_is_init_finished(connection_.get()) == 0) {
      return Later(std::move(done), HandshakeFailed(), 0);
    }
    ERR_clear_error();
    std::size_t taken = 0;
    for (const asio::const_buffer& buffer : from) {
      const std::size_t size = std::min(buffer.size(), kWriteBytes - taken);
      if (size == 0) continue;
      // Memory takes all of it.
      if (SSL_write(connection_.get(), buffer.data(), static_cast<int>(size)) <= 0) {
        is_failed_ = true;
        return Later(std::move(done), HandshakeFailed(), 0);
      }
      taken += size;
    }
    if (taken == 0) return Later(std::move(done), {}, 0);
    written_bytes_ = taken;
    write_done_ = std::move(done);
    Flush();
  }

  void ShutdownSend() {
    if (connection_ != nullptr && !is_failed_ && SSL_is_init_finished(connection_.get()) != 0) {
      ERR_clear_error();
      SSL_shutdown(connection_.get());
    }
    ends_ = true;
    Flush();
  }

  void Close() { plain_.Close(); }

  [[nodiscard]] asio::any_io_executor executor() { return plain_.executor(); }

  [[nodiscard]] HttpPeer peer() const {
    HttpPeer peer = plain_.peer();
    peer.certificate_names = certificate_names_;
    return peer;
  }

 private:
  // Calls `done` after the caller has returned.
  void Later(Done done, const error_code& error, std::size_t bytes) {
    asio::post(executor(), [done = std::move(done), error, bytes] { done(error, bytes); });
  }

  // Shakes hands and reads, as far as what has come goes; reads on where it does not.
  void Advance() {
    if (!read_done_ || is_receiving_) return;
    if (connection_ == nullptr || is_failed_) return EndRead(HandshakeFailed());
    ERR_clear_error();
    int result = 1;
    if (SSL_is_init_finished(connection_.get()) == 0) {
      result = SSL_do_handshake(connection_.get());
      if (result == 1) {
        has_shaken_hands_ = true;
        TakeNames();
      }
    }
    if (result == 1) {
      const std::size_t size = std::min(into_.size(), kReadBytes);
      result = SSL_read(connection_.get(), into_.data(), static_cast<int>(size));
      if (result > 0) return EndRead({}, static_cast<std::size_t>(result));
    }
    const int why = SSL_get_error(connection_.get(), result);
    if (why == SSL_ERROR_WANT_READ) {
      Flush();
      return Receive();
    }
    if (why == SSL_ERROR_ZERO_RETURN) return EndRead(asio::error::eof);
    Fail();
  }

  void Fail() {
    is_failed_ = true;
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST) {
      const std::string reply = PlainHttpReply();
      static_cast<void>(BIO_reset(outgoing_));
      BIO_write(outgoing_, reply.data(), static_cast<int>(reply.size()));
      ends_ = true;
    }
    ERR_clear_error();
    Flush();  // the alert that says why, if there is one
    EndRead(HandshakeFailed());
  }

  void TakeNames() {
    auto names = std::make_shared<HttpPeer::CertificateNames>();
    VisitPeerCertificateNames(connection_.get(),
                              [&names](CertificateNameKind kind, absl::string_view name) {
                                names->emplace_back(kind, std::string(name));
                              });
    if (!names->empty()) certificate_names_ = std::move(names);
  }

  void EndRead(const error_code& error, std::size_t bytes = 0) {
    Later(std::exchange(read_done_, nullptr), error, bytes);
  }

  void Receive() {
    if (is_receiving_ || BIO_ctrl_pending(outgoing_) > kMostWaitingBytes) return;
    is_receiving_ = true;
    plain_.ReadSome(asio::buffer(received_),
                    [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                      self->OnReceived(error, bytes);
                    });
  }

  void OnReceived(const error_code& error, std::size_t bytes) {
    is_receiving_ = false;
    if (error) {
      // Of a client that goes without a word, too: what HTTP says tells whether all has come.
      if (read_done_) EndRead(error);
      return;
    }
    BIO_write(incoming_, received_.data(), static_cast<int>(bytes));
    Advance();
  }

  // Sends what is encrypted and has not left.
  void Flush() {
    if (is_sending_ || connection_ == nullptr) return;
    const std::size_t size = BIO_ctrl_pending(outgoing_);
    if (size == 0) {
      if (write_done_) Later(std::exchange(write_done_, nullptr), {}, written_bytes_);
      if (ends_) plain_.ShutdownSend();
      return;
    }
    leaving_.resize(size);
    BIO_read(outgoing_, leaving_.data(), static_cast<int>(size));
    sent_bytes_ = 0;
    is_sending_ = true;
    Send();
  }

  void Send() {
    plain_.WriteSome({asio::buffer(leaving_) + sent_bytes_},
                     [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                       self->OnSent(error, bytes);
                     });
  }

  void OnSent(const error_code& error, std::size_t bytes) {
    sent_bytes_ += bytes;
    if (!error && sent_bytes_ < leaving_.size()) return Send();
    is_sending_ = false;
    if (error) {
      is_failed_ = true;
      if (write_done_) Later(std::exchange(write_done_, nullptr), error, 0);
      return;
    }
    Flush();
    if (read_done_ && !is_receiving_) Advance();  // where too much waited to leave
  }

  SocketStream plain_;
  const std::unique_ptr<SSL, decltype(&SSL_free)> connection_;
  BIO* incoming_ = nullptr;
  BIO* outgoing_ = nullptr;
  std::shared_ptr<const HttpPeer::CertificateNames> certificate_names_;

  asio::mutable_buffer into_;
  Done read_done_;  // of a read that is under way
  bool is_receiving_ = false;
  std::array<char, kReadBytes> received_;

  Done write_done_;  // of a write that is under way
  std::size_t written_bytes_ = 0;
  std::vector<char> leaving_;
  std::size_t sent_bytes_ = 0;
  bool is_sending_ = false;

  std::atomic<std::uint64_t>& failed_handshakes_;
  bool has_shaken_hands_ = false;
  bool is_failed_ = false;
  bool ends_ = false;  // nothing is written after what waits
};

TlsStream::TlsStream(Socket socket, SSL_CTX* context, std::atomic<std::uint64_t>& failed_handshakes)
    : core_(std::make_shared<Core>(std::move(socket), context, failed_handshakes)) {}

TlsStream::~TlsStream() { core_->Close(); }

void TlsStream::ReadSome(asio::mutable_buffer into, Done done) {
  core_->Read(into, std::move(done));
}

void TlsStream::WriteSome(const std::vector<asio::const_buffer>& from, Done done) {
  core_->Write(from, std::move(done));
}

void TlsStream::ShutdownSend() { core_->ShutdownSend(); }

void TlsStream::Close() { core_->Close(); }

asio::any_io_executor TlsStream::executor() { return core_->executor(); }

HttpPeer TlsStream::peer() const { return core_->peer(); }

}  // namespace octet
