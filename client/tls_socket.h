// SPDX-License-Identifier: Apache-2.0
// A connection with TLS that tells what is wrong with it: what gRPC's clients keep to themselves.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "openssl/types.h"

#include "client/credentials.h"
#include "client/socket.h"

namespace octet::client {

enum class TlsFault : std::uint8_t {
  kNone,
  kNoTls,                    // it answered with something else
  kSilent,                   // it closed, or said nothing in time
  kNoHandshake,              // the two ends do not agree; the reason says on what
  kNotTrusted,               // the server's certificate does not lead to a trusted issuer
  kNotYetValid,              // it begins later
  kExpired,                  // it has ended
  kWrongName,                // it is for others
  kNoProtocol,               // it does not speak the protocol that was offered
  kWantsClientCertificate,   // the server takes nobody without one
  kRefusesClientCertificate  // it does not take ours
};

struct ServerCertificate {
  std::string issuer;              // as RFC 2253 writes it
  std::vector<std::string> names;  // whom it is for: hosts and IP addresses
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
};

// Thread safety: one thread at a time.
class TlsSocket {
 public:
  // Offers `protocol` ("h2", "http/1.1") and shakes hands until `until`. Where that fails, or the
  // certificate is not what it should be, fault() says so, and nothing may be sent.
  TlsSocket(Socket socket, const Credentials& credentials, const std::string& server_name,
            absl::string_view protocol, Socket::Time until);
  ~TlsSocket();
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;

  [[nodiscard]] TlsFault fault() const { return fault_; }
  // OpenSSL's words for it; may be empty.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  // Null if the server has shown none.
  [[nodiscard]] const ServerCertificate* certificate() const { return certificate_.get(); }
  // Whether the server has agreed to the protocol.
  [[nodiscard]] bool has_protocol() const;
  // "TLSv1.3".
  [[nodiscard]] std::string version() const;

  // As Socket has them. Precondition: no fault. With TLS 1.3 the server says only at the first
  // Receive() that it does not take the client's certificate: that becomes a fault.
  [[nodiscard]] bool Send(absl::string_view bytes, Socket::Time until);
  [[nodiscard]] std::string Receive(Socket::Time until);

 private:
  void ShakeHands(Socket::Time until);
  void CheckCertificate(const std::string& server_name);
  void BlameClosedConnection();
  void Blame(TlsFault fault, std::string reason);
  // What the last operation, which failed, says of the connection.
  void BlameError(int outcome);
  [[nodiscard]] bool Flush(Socket::Time until);
  // Whether something came.
  [[nodiscard]] bool Fill(Socket::Time until);

  Socket socket_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  bool has_certificate_ = false;
  bool was_asked_for_certificate_ = false;
  bool has_received_ = false;
  TlsFault fault_ = TlsFault::kNone;
  std::string reason_;
  std::unique_ptr<ServerCertificate> certificate_;
};

// What is wrong with a server's TLS, if something is.
struct TlsReport {
  TlsFault fault = TlsFault::kNone;
  std::string reason;
  std::string version;
  std::unique_ptr<ServerCertificate> certificate;  // null if none was shown
  std::string server_name;                         // whom it had to name
};

enum class TlsUse : std::uint8_t { kGrpc, kHttp };

// Connects, shakes hands, and begins to speak, so that the server says whether it takes the
// client's certificate. Returns the errors of Socket::Connect, and of Credentials::CheckUseAt.
// Precondition: `credentials` have TLS.
absl::StatusOr<TlsReport> ProbeTls(const std::string& address, const Credentials& credentials,
                                   TlsUse use, std::chrono::milliseconds timeout);

// Whether a TLS handshake gets an answer of TLS, whoever is trusted. Errors as ProbeTls.
absl::StatusOr<bool> SpeaksTls(const std::string& address, std::chrono::milliseconds timeout);

}  // namespace octet::client
