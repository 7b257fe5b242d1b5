// SPDX-License-Identifier: Apache-2.0
// Who may do what: the access file, as text and as what is looked up for each call.
//
//   # name     roles        what proves it
//   training   infer        sha256:9b74c9897bac770ffc029102a200c5de...    of a bearer token
//   dashboard  read         token:1b0c...                                 the token itself
//   frontend   infer,read   uri:spiffe://cluster.local/ns/web/sa/front    in a client certificate
//
// A client certificate's names: uri:, dns:, email: and ip: of its subject alternative names, cn:
// its common name, subject: its whole subject as RFC 2253 writes it.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "server/access/roles.h"
#include "server/access/sha256.h"

namespace octet {

enum class CertificateNameKind : std::uint8_t {
  kUri,
  kDns,
  kEmail,
  kIp,
  kCommonName,
  kSubject,
};
inline constexpr std::size_t kNumCertificateNameKinds = 6;

struct Identity {
  std::string name;
  Roles roles;
};

// Thread safety: immutable once parsed.
class IdentityList {
 public:
  static constexpr std::size_t kMostLines = 1000;
  static constexpr std::size_t kLeastTokenBytes = 16;
  static constexpr std::size_t kMostTokenBytes = 4096;

  // Appends to `errors` one for each line that is wrong, as "<file>:<line>: ...": none of them
  // holds anything that the line says, which may be secret.
  static IdentityList Parse(absl::string_view text, const std::string& file,
                            std::vector<std::string>& errors);

  // Whose token that is; null if nobody's. Takes the same time for any token of a length.
  [[nodiscard]] const Identity* FindToken(absl::string_view token) const;

  // Whose certificate has that name; null if nobody's.
  [[nodiscard]] const Identity* FindCertificate(CertificateNameKind kind,
                                                absl::string_view name) const;

  [[nodiscard]] bool has_tokens() const { return !tokens_.empty(); }
  [[nodiscard]] bool has_certificates() const;
  // Whether a token itself is in the file, and not only its hash.
  [[nodiscard]] bool has_plain_tokens() const { return has_plain_tokens_; }
  [[nodiscard]] std::size_t size() const;

 private:
  struct Token {
    Sha256Digest hash;
    Identity identity;
  };

  // One line's last field. Returns what is wrong with it, or empty.
  std::string AddProof(absl::string_view proof, Identity identity);
  std::string AddToken(const Sha256Digest& hash, Identity identity);
  std::string AddHash(absl::string_view digits, Identity identity);
  std::string AddPlainToken(absl::string_view token, Identity identity);

  std::vector<Token> tokens_;
  std::array<std::map<std::string, Identity, std::less<>>, kNumCertificateNameKinds> certificates_;
  bool has_plain_tokens_ = false;
};

}  // namespace octet
