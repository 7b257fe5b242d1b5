// SPDX-License-Identifier: Apache-2.0
#include "client/tls_socket.h"

#include <arpa/inet.h>
#include <array>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "openssl/bio.h"
#include "openssl/err.h"
#include "openssl/ssl.h"
#include "openssl/x509.h"
#include "openssl/x509_vfy.h"
#include "openssl/x509v3.h"

#include "client/address.h"

namespace octet::client {
namespace {

constexpr std::size_t kMostReceived = std::size_t{16} << 10;

std::chrono::system_clock::time_point TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

std::string TextOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string TextOf(const X509_NAME* name) {
  const std::unique_ptr<BIO, int (*)(BIO*)> writer(BIO_new(BIO_s_mem()), &BIO_free);
  if (!writer || X509_NAME_print_ex(writer.get(), name, 0, XN_FLAG_RFC2253) < 0) return "";
  char* text = nullptr;
  const long size = BIO_get_mem_data(writer.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::vector<std::string> NamesOf(const X509* certificate) {
  std::vector<std::string> found;
  auto* const names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) {
      found.push_back(TextOf(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
      const std::string bytes = TextOf(name->d.iPAddress);
      std::array<char, INET6_ADDRSTRLEN> text{};
      const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
      if ((bytes.size() == 4 || bytes.size() == 16) &&
          inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr) {
        found.emplace_back(text.data());
      }
    }
  }
  GENERAL_NAMES_free(names);
  if (found.empty()) found.push_back(TextOf(X509_get_subject_name(certificate)));
  return found;
}

bool IsFor(X509* certificate, const std::string& name) {
  if (IsIpAddress(name)) return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
  return X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1;
}

TlsFault FaultOfVerification(long result) {
  switch (result) {
    case X509_V_OK:
      return TlsFault::kNone;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return TlsFault::kExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return TlsFault::kNotYetValid;
    default:
      return TlsFault::kNotTrusted;
  }
}

// Of an alert that the server sent.
TlsFault FaultOfReason(int reason, bool has_certificate, bool was_asked_for_one) {
  switch (reason) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return TlsFault::kWantsClientCertificate;
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
      return TlsFault::kRefusesClientCertificate;
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:  // TLS 1.2 has no better word
      return was_asked_for_one && !has_certificate ? TlsFault::kWantsClientCertificate
                                                   : TlsFault::kNoHandshake;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNEXPECTED_MESSAGE:
      return TlsFault::kNoTls;
    default:
      return TlsFault::kNoHandshake;
  }
}

int NoteRequest(SSL* /*ssl*/, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return 1;
}

}  // namespace

TlsSocket::TlsSocket(Socket socket, const Credentials& credentials, const std::string& server_name,
                     absl::string_view protocol, Socket::Time until)
    : socket_(std::move(socket)),
      ssl_(SSL_new(credentials.context()), &SSL_free),
      has_certificate_(credentials.has_certificate()) {
  SSL* const ssl = ssl_.get();
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  // An empty one is no end: more may come.
  BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
  SSL_set_cert_cb(ssl, &NoteRequest, &was_asked_for_certificate_);
  if (!IsIpAddress(server_name)) SSL_set_tlsext_host_name(ssl, server_name.c_str());
  std::string offer(1, static_cast<char>(protocol.size()));
  absl::StrAppend(&offer, protocol);
  SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(offer.data()),
                      static_cast<unsigned>(offer.size()));
  ShakeHands(until);
  if (SSL_get0_peer_certificate(ssl) != nullptr) CheckCertificate(server_name);
}

TlsSocket::~TlsSocket() { ERR_clear_error(); }

std::string TlsSocket::version() const { return SSL_get_version(ssl_.get()); }

bool TlsSocket::has_protocol() const {
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &size);
  return size > 0;
}

void TlsSocket::Blame(TlsFault fault, std::string reason) {
  fault_ = fault;
  reason_ = std::move(reason);
}

void TlsSocket::ShakeHands(Socket::Time until) {
  while (true) {
    ERR_clear_error();
    const int outcome = SSL_connect(ssl_.get());
    const bool is_sent = Flush(until);
    if (outcome == 1) return;
    if (SSL_get_error(ssl_.get(), outcome) != SSL_ERROR_WANT_READ) return BlameError(outcome);
    if (!is_sent || !Fill(until)) return BlameClosedConnection();
  }
}

// A server that closes without a word has nevertheless said which of its questions was the last.
void TlsSocket::BlameClosedConnection() {
  if (!was_asked_for_certificate_) return Blame(TlsFault::kSilent, "");
  Blame(has_certificate_ ? TlsFault::kRefusesClientCertificate : TlsFault::kWantsClientCertificate,
        "it closed the connection");
}

void TlsSocket::BlameError(int outcome) {
  const unsigned long error = ERR_peek_last_error();
  if (SSL_get_error(ssl_.get(), outcome) != SSL_ERROR_SSL || error == 0) {
    return BlameClosedConnection();
  }
  const char* const words = ERR_reason_error_string(error);
  Blame(FaultOfReason(ERR_GET_REASON(error), has_certificate_, was_asked_for_certificate_),
        words == nullptr ? "" : words);
}

void TlsSocket::CheckCertificate(const std::string& server_name) {
  X509* const shown = SSL_get0_peer_certificate(ssl_.get());
  certificate_ = std::make_unique<ServerCertificate>(
      ServerCertificate{.issuer = TextOf(X509_get_issuer_name(shown)),
                        .names = NamesOf(shown),
                        .not_before = TimeOf(X509_get0_notBefore(shown)),
                        .not_after = TimeOf(X509_get0_notAfter(shown))});
  const long result = SSL_get_verify_result(ssl_.get());
  const TlsFault fault = FaultOfVerification(result);
  // What is wrong with the server's certificate comes first: it is what a client stops at.
  if (fault != TlsFault::kNone) {
    Blame(fault, X509_verify_cert_error_string(result));
  } else if (!IsFor(shown, server_name)) {
    Blame(TlsFault::kWrongName, "");
  }
}

bool TlsSocket::Flush(Socket::Time until) {
  BIO* const out = SSL_get_wbio(ssl_.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(out, &text);
  if (size <= 0) return true;
  const bool is_sent = socket_.Send({text, static_cast<std::size_t>(size)}, until);
  static_cast<void>(BIO_reset(out));
  return is_sent;
}

bool TlsSocket::Fill(Socket::Time until) {
  const std::string bytes = socket_.Receive(until);
  return !bytes.empty() &&
         BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size())) > 0;
}

bool TlsSocket::Send(absl::string_view bytes, Socket::Time until) {
  ERR_clear_error();
  const int written = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  return written == static_cast<int>(bytes.size()) && Flush(until);
}

std::string TlsSocket::Receive(Socket::Time until) {
  std::array<char, kMostReceived> buffer{};
  while (true) {
    ERR_clear_error();
    const int size = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
    const bool is_sent = Flush(until);
    if (size > 0) {
      has_received_ = true;
      return {buffer.data(), static_cast<std::size_t>(size)};
    }
    const int error = SSL_get_error(ssl_.get(), size);
    if (error == SSL_ERROR_WANT_READ && is_sent && Fill(until)) continue;
    if (has_received_ || error == SSL_ERROR_ZERO_RETURN) return "";
    if (error == SSL_ERROR_WANT_READ) {
      BlameClosedConnection();
    } else {
      BlameError(size);
    }
    return "";
  }
}

absl::StatusOr<TlsReport> ProbeTls(const std::string& address, const Credentials& credentials,
                                   TlsUse use, std::chrono::milliseconds timeout) {
  if (absl::Status status = credentials.CheckUseAt(address); !status.ok()) return status;
  absl::StatusOr<Socket> socket = Socket::Connect(address, timeout);
  if (!socket.ok()) return socket.status();
  const Socket::Time until = std::chrono::steady_clock::now() + timeout;
  TlsReport report{.fault = TlsFault::kNone,
                   .reason = {},
                   .version = {},
                   .certificate = nullptr,
                   .server_name = credentials.ServerNameAt(address)};
  TlsSocket tls(*std::move(socket), credentials, report.server_name,
                use == TlsUse::kGrpc ? "h2" : "http/1.1", until);
  if (tls.fault() == TlsFault::kNone) {
    // The preface of HTTP/2 and an empty SETTINGS frame, which the literal's own end completes.
    constexpr char kGrpc[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    constexpr absl::string_view kHttp = "OPTIONS * HTTP/1.0\r\n\r\n";
    const absl::string_view begin =
        use == TlsUse::kGrpc ? absl::string_view(kGrpc, sizeof(kGrpc)) : kHttp;
    if (tls.Send(begin, until)) static_cast<void>(tls.Receive(until));
  }
  report.fault = tls.fault();
  report.reason = tls.reason();
  // HTTP/1 is spoken without an agreement too.
  if (report.fault == TlsFault::kNone && use == TlsUse::kGrpc && !tls.has_protocol()) {
    report.fault = TlsFault::kNoProtocol;
  }
  report.version = tls.version();
  if (tls.certificate() != nullptr) {
    report.certificate = std::make_unique<ServerCertificate>(*tls.certificate());
  }
  return report;
}

absl::StatusOr<bool> SpeaksTls(const std::string& address, std::chrono::milliseconds timeout) {
  const auto anybody = Credentials::Load({.tls = true});
  if (!anybody.ok()) return anybody.status();
  const absl::StatusOr<TlsReport> report = ProbeTls(address, **anybody, TlsUse::kGrpc, timeout);
  if (!report.ok()) return report.status();
  return report->certificate != nullptr || report->fault == TlsFault::kNoHandshake;
}

}  // namespace octet::client
