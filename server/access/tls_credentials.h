// SPDX-License-Identifier: Apache-2.0
// What a TLS listener shows and whom it trusts, read from PEM files and checked.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "openssl/types.h"

#include "server/access/identity_list.h"

namespace octet {

struct TlsFiles {
  std::string certificate;  // the server's, and after it those that lead to its root
  std::string key;          // of the first of them; without a passphrase
  std::string client_ca;    // whose client certificates are trusted; empty: none are asked for

  friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};

// The files' bytes.
struct TlsPem {
  std::string certificate;
  std::string key;
  std::string client_ca;

  friend bool operator==(const TlsPem&, const TlsPem&) = default;
};

enum class ClientCertificates : std::uint8_t {
  kIgnored,
  kVerified,  // one that is sent must be right
  kRequired,  // one must be sent
};

// Reads `path`, a file of at most 1 MiB. Returns NOT_FOUND or INVALID_ARGUMENT naming the file.
absl::StatusOr<std::string> ReadCredentialFile(const std::string& path);

// Returns the error of the first file that cannot be read.
absl::StatusOr<TlsPem> ReadTlsPem(const TlsFiles& files);

// Thread safety: immutable.
class TlsCredentials {
 public:
  // TLS 1.2 and newer. `files` is for messages.
  // Returns INVALID_ARGUMENT, naming the file, for what is no PEM, a key with a passphrase, a key
  // that is not the certificate's, a certificate that has expired, or trusted certificates of which
  // there are none. No message holds any of the contents.
  static absl::StatusOr<std::shared_ptr<const TlsCredentials>> Create(TlsPem pem,
                                                                      const TlsFiles& files);
  ~TlsCredentials();
  TlsCredentials(const TlsCredentials&) = delete;
  TlsCredentials& operator=(const TlsCredentials&) = delete;

  [[nodiscard]] const TlsPem& pem() const { return pem_; }
  // When the server's certificate expires.
  [[nodiscard]] std::chrono::system_clock::time_point not_after() const { return not_after_; }

  // For HTTP/1.1 connections: each takes a reference of its own (SSL_new), so that one that lives
  // keeps what it began with. Precondition: kIgnored where there is no client_ca.
  [[nodiscard]] SSL_CTX* context(ClientCertificates clients) const;

 private:
  TlsCredentials() = default;

  TlsPem pem_;
  std::chrono::system_clock::time_point not_after_;
  std::vector<std::shared_ptr<SSL_CTX>> contexts_;  // by ClientCertificates
};

// The names in the certificate that the peer of `connection` has sent, and that was verified.
void VisitPeerCertificateNames(
    const SSL* connection,
    absl::FunctionRef<void(CertificateNameKind kind, absl::string_view name)> visit);

}  // namespace octet
