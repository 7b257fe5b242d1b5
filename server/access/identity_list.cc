// SPDX-License-Identifier: Apache-2.0

#include "server/access/identity_list.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "openssl/crypto.h"

namespace octet {
namespace {

constexpr std::size_t kMostNameBytes = 64;
constexpr std::size_t kMostCertificateNameBytes = 2048;

struct NamePrefix {
  const char* prefix;
  CertificateNameKind kind;
};
constexpr std::array<NamePrefix, kNumCertificateNameKinds> kNamePrefixes = {
    {{"uri:", CertificateNameKind::kUri},
     {"dns:", CertificateNameKind::kDns},
     {"email:", CertificateNameKind::kEmail},
     {"ip:", CertificateNameKind::kIp},
     {"cn:", CertificateNameKind::kCommonName},
     {"subject:", CertificateNameKind::kSubject}}};

constexpr char kTwice[] = "a line before has the same token or certificate name";

bool IsTokenText(absl::string_view token) {
  absl::string_view body = token;
  while (absl::ConsumeSuffix(&body, "=")) {
  }
  return !body.empty() && std::all_of(body.begin(), body.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) ||
           absl::string_view("-._~+/").find(static_cast<char>(c)) != absl::string_view::npos;
  });
}

bool IsIdentityName(absl::string_view name) {
  return !name.empty() && name.size() <= kMostNameBytes &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
         });
}

// The next word of `line`, which loses it.
absl::string_view TakeWord(absl::string_view& line) {
  line = absl::StripLeadingAsciiWhitespace(line);
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const absl::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

// The roles, which may have spaces after their commas; `line` loses them.
absl::string_view TakeRoles(absl::string_view& line) {
  line = absl::StripLeadingAsciiWhitespace(line);
  const absl::string_view whole = line;
  absl::string_view word = TakeWord(line);
  while (!word.empty() && word.back() == ',') word = TakeWord(line);
  return whole.substr(0, whole.size() - line.size());
}

}  // namespace

IdentityList IdentityList::Parse(absl::string_view text, const std::string& file,
                                 std::vector<std::string>& errors) {
  IdentityList list;
  std::size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const auto fail = [&](absl::string_view what) {
      errors.push_back(absl::StrCat(file, ":", number, ": ", what));
    };
    if (list.size() >= kMostLines) {
      fail(absl::StrCat("wants at most ", kMostLines, " lines with an identity"));
      break;
    }
    const absl::string_view name = TakeWord(line);
    const absl::StatusOr<Roles> roles = ParseRoles(TakeRoles(line));
    if (!IsIdentityName(name)) {
      fail("the name wants letters, digits, '_', '-' and '.', at most 64");
    } else if (!roles.ok()) {
      fail(absl::StrCat("the second field ", absl::string_view(roles.status().message().data(),
                                                               roles.status().message().size())));
    } else {
      const std::string wrong = list.AddProof(absl::StripAsciiWhitespace(line),
                                              {.name = std::string(name), .roles = *roles});
      if (!wrong.empty()) fail(wrong);
    }
  }
  return list;
}

std::string IdentityList::AddProof(absl::string_view proof, Identity identity) {
  if (absl::ConsumePrefix(&proof, "sha256:")) return AddHash(proof, std::move(identity));
  if (absl::ConsumePrefix(&proof, "token:")) return AddPlainToken(proof, std::move(identity));
  for (const NamePrefix& name : kNamePrefixes) {
    if (!absl::ConsumePrefix(&proof, name.prefix)) continue;
    if (proof.empty() || proof.size() > kMostCertificateNameBytes) {
      return absl::StrCat(name.prefix, " wants 1 to ", kMostCertificateNameBytes, " bytes");
    }
    const bool is_new = certificates_[static_cast<std::size_t>(name.kind)]
                            .try_emplace(std::string(proof), std::move(identity))
                            .second;
    return is_new ? "" : kTwice;
  }
  return "the third field wants to begin with sha256:, token:, uri:, dns:, email:, ip:, cn: or "
         "subject:";
}

std::string IdentityList::AddHash(absl::string_view digits, Identity identity) {
  Sha256Digest hash{};
  const bool is_hex = digits.size() == 2 * hash.size() &&
                      std::all_of(digits.begin(), digits.end(),
                                  [](unsigned char c) { return absl::ascii_isxdigit(c); });
  if (!is_hex) return "sha256: wants the 64 hexadecimal digits of the token's SHA-256";
  const std::string bytes = absl::HexStringToBytes(digits);
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  return AddToken(hash, std::move(identity));
}

std::string IdentityList::AddPlainToken(absl::string_view token, Identity identity) {
  if (token.size() < kLeastTokenBytes || token.size() > kMostTokenBytes) {
    return absl::StrCat("the token has ", token.size(), " characters, wants ", kLeastTokenBytes,
                        " to ", kMostTokenBytes);
  }
  if (!IsTokenText(token)) {
    return "the token wants letters, digits and -._~+/ only, and = at its end";
  }
  const std::optional<Sha256Digest> hash = Sha256(token);
  if (!hash) return "the token's SHA-256 could not be computed";
  has_plain_tokens_ = true;
  return AddToken(*hash, std::move(identity));
}

std::string IdentityList::AddToken(const Sha256Digest& hash, Identity identity) {
  for (const Token& other : tokens_) {
    if (other.hash == hash) return kTwice;
  }
  tokens_.push_back({hash, std::move(identity)});
  return "";
}

const Identity* IdentityList::FindToken(absl::string_view token) const {
  if (token.size() > kMostTokenBytes) return nullptr;
  const std::optional<Sha256Digest> hash = Sha256(token);
  if (!hash) return nullptr;
  const Identity* found = nullptr;
  for (const Token& known : tokens_) {  // all of them, whichever it is
    if (CRYPTO_memcmp(known.hash.data(), hash->data(), hash->size()) == 0) found = &known.identity;
  }
  return found;
}

const Identity* IdentityList::FindCertificate(CertificateNameKind kind,
                                              absl::string_view name) const {
  const auto& names = certificates_[static_cast<std::size_t>(kind)];
  const auto found = names.find(name);
  return found == names.end() ? nullptr : &found->second;
}

bool IdentityList::has_certificates() const {
  return std::any_of(certificates_.begin(), certificates_.end(),
                     [](const auto& names) { return !names.empty(); });
}

std::size_t IdentityList::size() const {
  std::size_t count = tokens_.size();
  for (const auto& names : certificates_) count += names.size();
  return count;
}

}  // namespace octet
