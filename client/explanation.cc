// SPDX-License-Identifier: Apache-2.0
#include "client/explanation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"

#include "client/wire_probe.h"

namespace octet::client {
namespace {

constexpr std::size_t kMostNames = 8;

std::string Day(std::chrono::system_clock::time_point time) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::FromChrono(time), absl::UTCTimeZone());
}

std::string NamesOf(const ServerCertificate& certificate) {
  const std::size_t shown = std::min(certificate.names.size(), kMostNames);
  const auto begin = certificate.names.begin();
  return absl::StrCat(absl::StrJoin(begin, begin + static_cast<std::ptrdiff_t>(shown), ", "),
                      shown < certificate.names.size()
                          ? absl::StrCat(" and ", certificate.names.size() - shown)
                          : "");
}

std::string InBrackets(const std::string& reason) {
  return reason.empty() ? "" : absl::StrCat(" (", reason, ")");
}

// Empty where TLS is not what is wrong.
std::string LookWithoutTls(const std::string& address, std::chrono::milliseconds timeout) {
  const absl::StatusOr<WireKind> kind = ProbeWire(address, timeout);
  if (!kind.ok()) return "";
  const absl::StatusOr<bool> has_tls =
      *kind == WireKind::kSilent ? SpeaksTls(address, timeout) : *kind == WireKind::kTls;
  if (has_tls.ok() && *has_tls) {
    return absl::StrCat(address,
                        ": speaks TLS, and this asked without: give --tls-ca FILE, or --tls "
                        "if the system trusts its issuer");
  }
  if (*kind == WireKind::kHttp1) {
    return absl::StrCat(address, ": speaks HTTP/1, wants the address of gRPC");
  }
  return "";
}

}  // namespace

std::string DescribeTlsFault(const std::string& address, const TlsReport& report) {
  const std::string reason = InBrackets(report.reason);
  const ServerCertificate none;
  const ServerCertificate& certificate = report.certificate ? *report.certificate : none;
  switch (report.fault) {
    case TlsFault::kNone:
      return "";
    case TlsFault::kNoTls:
      return absl::StrCat(address, ": does not speak TLS, and this asked with it");
    case TlsFault::kSilent:
      return absl::StrCat(address, ": takes the connection, but does not answer a TLS handshake");
    case TlsFault::kNoHandshake:
      return absl::StrCat(address, ": there is no TLS handshake", reason);
    case TlsFault::kNotTrusted:
      return absl::StrCat(address, ": its certificate, issued by ", certificate.issuer,
                          ", is not trusted", reason);
    case TlsFault::kNotYetValid:
      return absl::StrCat(address, ": its certificate begins on ", Day(certificate.not_before),
                          ", it is ", Day(std::chrono::system_clock::now()));
    case TlsFault::kExpired:
      return absl::StrCat(address, ": its certificate expired on ", Day(certificate.not_after),
                          ", it is ", Day(std::chrono::system_clock::now()));
    case TlsFault::kWrongName:
      return absl::StrCat(address, ": its certificate is for ", NamesOf(certificate), ", wants ",
                          report.server_name);
    case TlsFault::kNoProtocol:
      return absl::StrCat(address, ": does not speak HTTP/2 over TLS, as gRPC has it");
    case TlsFault::kWantsClientCertificate:
      return absl::StrCat(address, ": takes no client without a certificate", reason);
    case TlsFault::kRefusesClientCertificate:
      return absl::StrCat(address, ": refuses the client certificate", reason);
  }
  return "";
}

std::string AdviseOnTlsFault(const TlsReport& report) {
  switch (report.fault) {
    case TlsFault::kNone:
      return "";
    case TlsFault::kNoTls:
      return "leave out what asks for TLS, or ask the port that has it";
    case TlsFault::kSilent:
      return "it may be a port for something else (gRPC's takes no HTTP/1), hang, or be a proxy "
             "whose "
             "backend is gone: look at its log";
    case TlsFault::kNoHandshake:
      return "it may be too old for TLS 1.2, or want other ciphers: look at its log";
    case TlsFault::kNotTrusted:
      return "give the issuer's certificate with --tls-ca FILE";
    case TlsFault::kNotYetValid:
    case TlsFault::kExpired:
      return "give the server one that is valid now, or set the clock that is wrong";
    case TlsFault::kWrongName:
      return "ask by a name that it is for, or give one of them with --tls-server-name";
    case TlsFault::kNoProtocol:
      return "ask the gRPC port, 8001 unless --grpc-address says otherwise; HTTP is asked as "
             "https://HOST:PORT";
    case TlsFault::kWantsClientCertificate:
      return "give --tls-certificate FILE and --tls-key FILE";
    case TlsFault::kRefusesClientCertificate:
      return "give one of an issuer that the server trusts (its --tls-client-ca), and look at its "
             "log";
  }
  return "";
}

absl::Status Explain(const absl::Status& status, const std::string& address,
                     const Credentials* credentials, std::chrono::milliseconds timeout) {
  if (absl::IsUnauthenticated(status) && (credentials == nullptr || !credentials->has_token())) {
    return {status.code(), absl::StrCat(status.message(), ": give --token-file FILE")};
  }
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
  std::string found;
  if (credentials == nullptr || !credentials->has_tls()) {
    found = LookWithoutTls(address, timeout);
  } else {
    const absl::StatusOr<TlsReport> report =
        ProbeTls(address, *credentials, TlsUse::kGrpc, timeout);
    if (report.ok() && report->fault != TlsFault::kNone) {
      found = absl::StrCat(DescribeTlsFault(address, *report), ": ", AdviseOnTlsFault(*report));
    }
  }
  return found.empty() ? status : absl::Status(status.code(), found);
}

}  // namespace octet::client
