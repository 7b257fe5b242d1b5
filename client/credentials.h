// SPDX-License-Identifier: Apache-2.0
// Whom a client trusts and what it shows: TLS and a bearer token, read from files and checked.

#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "openssl/types.h"

namespace octet::client {

struct CredentialOptions {
  bool tls = false;                   // also where one of the next four is given
  std::string ca_file = {};           // PEM, the issuers that are trusted; empty: the system's
  std::string certificate_file = {};  // PEM, the client's certificate and its chain
  std::string key_file = {};          // PEM, its key, without a passphrase
  std::string server_name = {};       // whom the server's certificate has to name; empty: the host
  std::string token_file = {};        // a bearer token; white space around it does not count
  std::string token = {};             // the token itself, where there is no file
  std::string token_source = "the token";  // what messages call that one
  bool token_without_tls = false;          // sends it in plain text, to other machines too
};

// Thread safety: immutable.
class Credentials {
 public:
  // Reads the files, each of at most 1 MiB.
  // Returns NOT_FOUND or INVALID_ARGUMENT, naming the file, for one that cannot be read, is no PEM
  // or holds no token, a key that wants a passphrase or is another certificate's, a certificate
  // without a key, one that has expired. No message holds any of the contents.
  static absl::StatusOr<std::shared_ptr<const Credentials>> Load(const CredentialOptions& options);
  ~Credentials();
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  // Returns FAILED_PRECONDITION where a token would leave this machine without TLS, and
  // INVALID_ARGUMENT for TLS over a Unix socket. Every use of these credentials asks this first.
  [[nodiscard]] absl::Status CheckUseAt(const std::string& address) const;

  [[nodiscard]] bool has_tls() const { return context_ != nullptr; }
  [[nodiscard]] bool has_certificate() const { return !certificate_pem_.empty(); }
  [[nodiscard]] bool has_token() const { return !authorization_.empty(); }
  // Whom the server's certificate has to name at `address`.
  [[nodiscard]] std::string ServerNameAt(const std::string& address) const;
  // Empty: the address's host.
  [[nodiscard]] const std::string& server_name_override() const { return server_name_; }

  // Of the header `authorization`; empty without a token.
  [[nodiscard]] const std::string& authorization() const { return authorization_; }
  // Empty: the system's issuers.
  [[nodiscard]] const std::string& ca_pem() const { return ca_pem_; }
  [[nodiscard]] const std::string& certificate_pem() const { return certificate_pem_; }
  [[nodiscard]] const std::string& key_pem() const { return key_pem_; }
  // When the client's certificate ends; the epoch without one.
  [[nodiscard]] std::chrono::system_clock::time_point certificate_not_after() const {
    return certificate_not_after_;
  }
  // For connections that are not gRPC's: shows the certificate, checks nothing during a handshake.
  // Precondition: has_tls().
  [[nodiscard]] SSL_CTX* context() const { return context_.get(); }

  // What is worth telling: a key or a token that everybody on this machine may read.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Credentials() = default;
  absl::Status LoadTls(const CredentialOptions& options);
  absl::Status LoadToken(const CredentialOptions& options);

  std::string ca_pem_;
  std::string certificate_pem_;
  std::string key_pem_;
  std::chrono::system_clock::time_point certificate_not_after_;
  std::string server_name_;
  std::string authorization_;
  bool token_without_tls_ = false;
  std::shared_ptr<SSL_CTX> context_;  // null: no TLS
  std::vector<std::string> warnings_;
};

}  // namespace octet::client
