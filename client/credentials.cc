// SPDX-License-Identifier: Apache-2.0
#include "client/credentials.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "openssl/bio.h"
#include "openssl/crypto.h"
#include "openssl/err.h"
#include "openssl/pem.h"
#include "openssl/ssl.h"
#include "openssl/x509.h"

#include "client/address.h"

namespace octet::client {
namespace {

constexpr std::size_t kMostFileBytes = std::size_t{1} << 20;
// Headers of 8 KiB are what HTTP servers take at least, and gRPC's at most.
constexpr std::size_t kMostTokenBytes = 8000;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

absl::Status Wrong(const std::string& file, absl::string_view what) {
  ERR_clear_error();  // of this thread; the next that looks must not find it
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", what));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const auto unreadable = [&path](int error) {
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot be read: ", std::generic_category().message(error)));
  };
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return unreadable(errno);
  if (S_ISDIR(status.st_mode)) return Wrong(path, "is a folder, wants a file");
  std::ifstream file(path, std::ios::binary);
  if (!file) return unreadable(errno);
  std::string text(kMostFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMostFileBytes) {
    return Wrong(path, absl::StrCat("is larger than ", kMostFileBytes, " bytes"));
  }
  return text;
}

// A regular file: a pipe, as <(command) has it, is its reader's.
bool EverybodyMayRead(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         (status.st_mode & S_IROTH) != 0;
}

Bio Reader(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Answers "no passphrase", so that nobody is asked on the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*is_writing*/, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

// The certificates of a PEM file, in their order.
absl::StatusOr<std::vector<Certificate>> ReadCertificates(const std::string& pem,
                                                          const std::string& file) {
  const Bio reader = Reader(pem);
  std::vector<Certificate> certificates;
  while (Certificate next{PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)}) {
    certificates.push_back(std::move(next));
  }
  const unsigned long error = ERR_peek_last_error();
  const bool is_at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (certificates.empty()) return Wrong(file, "holds no certificate, wants PEM");
  if (!is_at_end) {
    return Wrong(file, absl::StrCat("what follows certificate ", certificates.size(),
                                    " cannot be read, wants PEM"));
  }
  ERR_clear_error();
  return certificates;
}

absl::StatusOr<Key> ReadKey(const std::string& pem, const std::string& file) {
  const Bio reader = Reader(pem);
  bool was_asked = false;
  Key key(PEM_read_bio_PrivateKey(reader.get(), nullptr, &NoPassphrase, &was_asked));
  if (key) return key;
  if (was_asked) return Wrong(file, "the key has a passphrase, wants one without");
  return Wrong(file, "holds no private key, wants PEM");
}

absl::Status Trust(SSL_CTX* context, const std::string& pem, const std::string& file) {
  if (file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return absl::OkStatus();
  }
  auto trusted = ReadCertificates(pem, file);
  if (!trusted.ok()) return trusted.status();
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const Certificate& each : *trusted) X509_STORE_add_cert(store, each.get());
  // A file may name the server's own certificate, or one on the way to the root.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  return absl::OkStatus();
}

// Returns when the certificate ends.
absl::StatusOr<std::chrono::system_clock::time_point> Show(SSL_CTX* context,
                                                           const std::string& certificate_pem,
                                                           const std::string& key_pem,
                                                           const CredentialOptions& options) {
  auto chain = ReadCertificates(certificate_pem, options.certificate_file);
  if (!chain.ok()) return chain.status();
  auto key = ReadKey(key_pem, options.key_file);
  if (!key.ok()) return key.status();
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    return Wrong(options.key_file,
                 absl::StrCat("is not the key of the certificate in ", options.certificate_file));
  }
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(chain->front().get()), &end) != 1) {
    return Wrong(options.certificate_file, "the certificate's end cannot be read");
  }
  const auto not_after = std::chrono::system_clock::from_time_t(timegm(&end));
  if (not_after <= std::chrono::system_clock::now()) {
    return Wrong(options.certificate_file, "the certificate has expired");
  }
  bool is_used = SSL_CTX_use_certificate(context, chain->front().get()) == 1 &&
                 SSL_CTX_use_PrivateKey(context, key->get()) == 1;
  for (std::size_t i = 1; is_used && i < chain->size(); ++i) {
    is_used = SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) == 1;
  }
  if (!is_used) return Wrong(options.certificate_file, "OpenSSL does not take it");
  return not_after;
}

// Of RFC 6750, as a server takes it.
bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("-._~+/=").find(c) != absl::string_view::npos;
}

}  // namespace

absl::Status Credentials::LoadTls(const CredentialOptions& options) {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (!context_ || SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION) != 1) {
    return absl::InternalError("OpenSSL has no TLS 1.2");
  }
  if (!options.ca_file.empty()) {
    auto pem = ReadFile(options.ca_file);
    if (!pem.ok()) return pem.status();
    ca_pem_ = *std::move(pem);
  }
  if (absl::Status status = Trust(context_.get(), ca_pem_, options.ca_file); !status.ok()) {
    return status;
  }
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError(
        options.key_file.empty()
            ? absl::StrCat(options.certificate_file, ": the client certificate has no key file")
            : absl::StrCat(options.key_file, ": the key has no client certificate's file"));
  }
  if (options.certificate_file.empty()) return absl::OkStatus();
  auto certificate = ReadFile(options.certificate_file);
  if (!certificate.ok()) return certificate.status();
  auto key = ReadFile(options.key_file);
  if (!key.ok()) return key.status();
  certificate_pem_ = *std::move(certificate);
  key_pem_ = *std::move(key);
  if (EverybodyMayRead(options.key_file)) {
    warnings_.push_back(absl::StrCat(options.key_file, ": everybody on this machine may read it"));
  }
  const auto not_after = Show(context_.get(), certificate_pem_, key_pem_, options);
  if (not_after.ok()) certificate_not_after_ = *not_after;
  return not_after.status();
}

absl::Status Credentials::LoadToken(const CredentialOptions& options) {
  std::string text = options.token;
  const std::string source = options.token_file.empty() ? options.token_source : options.token_file;
  if (!options.token_file.empty()) {
    auto read = ReadFile(options.token_file);
    if (!read.ok()) return read.status();
    text = *std::move(read);
    if (EverybodyMayRead(options.token_file)) {
      warnings_.push_back(absl::StrCat(source, ": everybody on this machine may read it"));
    }
  }
  const absl::string_view token = absl::StripAsciiWhitespace(text);
  if (!std::all_of(token.begin(), token.end(), IsTokenCharacter)) {
    return Wrong(source, "is no bearer token, wants letters, digits and -._~+/= alone");
  }
  if (token.empty() || token.size() > kMostTokenBytes) {
    return Wrong(source, absl::StrCat("is no bearer token: has ", token.size(),
                                      " characters, wants 1 to ", kMostTokenBytes));
  }
  authorization_ = absl::StrCat("Bearer ", token);
  OPENSSL_cleanse(text.data(), text.size());
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Credentials>> Credentials::Load(
    const CredentialOptions& options) {
  const std::shared_ptr<Credentials> made(new Credentials());
  made->server_name_ = options.server_name;
  made->token_without_tls_ = options.token_without_tls;
  const bool has_tls = options.tls || !options.ca_file.empty() ||
                       !options.certificate_file.empty() || !options.key_file.empty() ||
                       !options.server_name.empty();
  if (has_tls) {
    if (absl::Status status = made->LoadTls(options); !status.ok()) return status;
  }
  if (!options.token_file.empty() || !options.token.empty()) {
    if (absl::Status status = made->LoadToken(options); !status.ok()) return status;
  }
  return made;
}

Credentials::~Credentials() {
  OPENSSL_cleanse(key_pem_.data(), key_pem_.size());
  OPENSSL_cleanse(authorization_.data(), authorization_.size());
}

absl::Status Credentials::CheckUseAt(const std::string& address) const {
  if (has_tls() && IsUnixAddress(address)) {
    return absl::InvalidArgumentError(
        absl::StrCat(address, ": TLS is for addresses host:port, a Unix socket has none"));
  }
  if (has_token() && !has_tls() && !token_without_tls_ && !IsOwnMachineAddress(address)) {
    return absl::FailedPreconditionError(
        absl::StrCat(address,
                     ": the token is not sent without TLS to another machine, where whoever is on "
                     "the way can read it: give --tls or --tls-ca FILE, or --token-without-tls if "
                     "something else encrypts the way"));
  }
  return absl::OkStatus();
}

std::string Credentials::ServerNameAt(const std::string& address) const {
  if (!server_name_.empty()) return server_name_;
  const absl::StatusOr<HostAndPort> parts = SplitAddress(address);
  return parts.ok() ? parts->host : address;
}

}  // namespace octet::client
