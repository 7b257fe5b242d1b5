// SPDX-License-Identifier: Apache-2.0

#include "server/access/tls_credentials.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "openssl/bio.h"
#include "openssl/err.h"
#include "openssl/pem.h"
#include "openssl/ssl.h"
#include "openssl/x509v3.h"

#include "models/base/status_macros.h"

namespace octet {
namespace {

constexpr std::size_t kMostFileBytes = std::size_t{1} << 20;
constexpr std::size_t kMostCertificates = 1000;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

Bio Reader(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

absl::Status Wrong(const std::string& file, absl::string_view what) {
  ERR_clear_error();  // of this thread; the next that looks must not find it
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", what));
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
    if (certificates.size() > kMostCertificates) {
      return Wrong(file, absl::StrCat("wants at most ", kMostCertificates, " certificates"));
    }
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

absl::StatusOr<std::chrono::system_clock::time_point> NotAfter(const X509& certificate,
                                                               const std::string& file) {
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &time) != 1) {
    return Wrong(file, "the certificate's end cannot be read");
  }
  return std::chrono::system_clock::from_time_t(timegm(&time));
}

// Of what a client offers, HTTP/1.1; nothing where it does not offer that.
int SelectProtocol(SSL* /*connection*/, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned offered_size, void* /*argument*/) {
  static constexpr std::array<unsigned char, 9> kHttp = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_size, kHttp.data(), kHttp.size(), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

struct Parts {
  std::vector<Certificate> chain;
  Key key;
  std::vector<Certificate> trusted;
};

int VerifyMode(ClientCertificates clients) {
  switch (clients) {
    case ClientCertificates::kIgnored:
      return SSL_VERIFY_NONE;
    case ClientCertificates::kVerified:
      return SSL_VERIFY_PEER;
    case ClientCertificates::kRequired:
      break;
  }
  return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

// Null if OpenSSL refuses something of it.
std::shared_ptr<SSL_CTX> MakeContext(const Parts& parts, ClientCertificates clients) {
  std::shared_ptr<SSL_CTX> made(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  SSL_CTX* const context = made.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_use_certificate(context, parts.chain[0].get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, parts.key.get()) != 1) {
    return nullptr;
  }
  for (std::size_t i = 1; i < parts.chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, parts.chain[i].get()) != 1) return nullptr;
  }
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const Certificate& trusted : parts.trusted) {
    if (X509_STORE_add_cert(store, trusted.get()) != 1 ||
        SSL_CTX_add_client_CA(context, trusted.get()) != 1) {
      return nullptr;
    }
  }
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_verify(context, VerifyMode(clients), nullptr);
  // A resumed session would bring along a client certificate that was trusted once.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_alpn_select_cb(context, &SelectProtocol, nullptr);
  return made;
}

absl::string_view TextOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

using NameVisitor = absl::FunctionRef<void(CertificateNameKind kind, absl::string_view name)>;

void VisitSubject(X509* certificate, NameVisitor visit) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index >= 0) {
    unsigned char* utf8 = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
    if (size >= 0) {
      visit(CertificateNameKind::kCommonName,
            {reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)});
      OPENSSL_free(utf8);
    }
  }
  const Bio writer(BIO_new(BIO_s_mem()));
  if (!writer || X509_NAME_print_ex(writer.get(), subject, 0, XN_FLAG_RFC2253) < 0) return;
  char* text = nullptr;
  const long size = BIO_get_mem_data(writer.get(), &text);
  if (size > 0) visit(CertificateNameKind::kSubject, {text, static_cast<std::size_t>(size)});
}

}  // namespace

absl::StatusOr<std::string> ReadCredentialFile(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is no file"));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
  }
  std::string text(kMostFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMostFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is larger than ", kMostFileBytes, " bytes"));
  }
  return text;
}

absl::StatusOr<TlsPem> ReadTlsPem(const TlsFiles& files) {
  TlsPem pem;
  ASSIGN_OR_RETURN(pem.certificate, ReadCredentialFile(files.certificate));
  ASSIGN_OR_RETURN(pem.key, ReadCredentialFile(files.key));
  if (!files.client_ca.empty()) {
    ASSIGN_OR_RETURN(pem.client_ca, ReadCredentialFile(files.client_ca));
  }
  return pem;
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>> TlsCredentials::Create(
    TlsPem pem, const TlsFiles& files) {
  ERR_clear_error();
  Parts parts;
  ASSIGN_OR_RETURN(parts.chain, ReadCertificates(pem.certificate, files.certificate));
  ASSIGN_OR_RETURN(parts.key, ReadKey(pem.key, files.key));
  if (!files.client_ca.empty()) {
    ASSIGN_OR_RETURN(parts.trusted, ReadCertificates(pem.client_ca, files.client_ca));
  }
  if (X509_check_private_key(parts.chain[0].get(), parts.key.get()) != 1) {
    return Wrong(files.key,
                 absl::StrCat("is not the key of the certificate in ", files.certificate));
  }
  std::shared_ptr<TlsCredentials> made(new TlsCredentials());
  ASSIGN_OR_RETURN(made->not_after_, NotAfter(*parts.chain[0], files.certificate));
  if (made->not_after_ <= std::chrono::system_clock::now()) {
    return Wrong(files.certificate, "the certificate has expired");
  }
  for (const ClientCertificates clients :
       {ClientCertificates::kIgnored, ClientCertificates::kVerified,
        ClientCertificates::kRequired}) {
    std::shared_ptr<SSL_CTX> context = MakeContext(parts, clients);
    if (!context) {
      const unsigned long error = ERR_peek_last_error();
      const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
      return Wrong(files.certificate,
                   absl::StrCat("OpenSSL does not serve with it: ", reason ? reason : "no reason"));
    }
    made->contexts_.push_back(std::move(context));
  }
  made->pem_ = std::move(pem);
  return made;
}

TlsCredentials::~TlsCredentials() { OPENSSL_cleanse(pem_.key.data(), pem_.key.size()); }

SSL_CTX* TlsCredentials::context(ClientCertificates clients) const {
  return contexts_[static_cast<std::size_t>(clients)].get();
}

void VisitPeerCertificateNames(const SSL* connection, NameVisitor visit) {
  const Certificate certificate(SSL_get1_peer_certificate(connection));
  if (!certificate || SSL_get_verify_result(connection) != X509_V_OK) return;
  VisitSubject(certificate.get(), visit);
  const std::unique_ptr<GENERAL_NAMES, Free> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) {
      visit(CertificateNameKind::kUri, TextOf(name->d.uniformResourceIdentifier));
    } else if (name->type == GEN_DNS) {
      visit(CertificateNameKind::kDns, TextOf(name->d.dNSName));
    } else if (name->type == GEN_EMAIL) {
      visit(CertificateNameKind::kEmail, TextOf(name->d.rfc822Name));
    } else if (name->type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> text{};
      const absl::string_view bytes = TextOf(name->d.iPAddress);
      const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
      if (bytes.size() != 4 && bytes.size() != 16) continue;
      if (inet_ntop(family, bytes.data(), text.data(), text.size()) == nullptr) continue;
      visit(CertificateNameKind::kIp, text.data());
    }
  }
}

}  // namespace octet
