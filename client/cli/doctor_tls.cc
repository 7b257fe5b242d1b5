// SPDX-License-Identifier: Apache-2.0
// What `octet doctor` says of a server's TLS.

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "client/cli/doctor_checks.h"
#include "client/explanation.h"

namespace octet::cli {
namespace {

using client::TlsFault;
using Clock = std::chrono::system_clock;
using std::chrono::hours;

std::string Day(Clock::time_point time) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::FromChrono(time), absl::UTCTimeZone());
}

const char* CheckOf(TlsFault fault) {
  switch (fault) {
    case TlsFault::kNotTrusted:
    case TlsFault::kNotYetValid:
    case TlsFault::kExpired:
    case TlsFault::kWrongName:
      return "server.certificate";
    case TlsFault::kWantsClientCertificate:
    case TlsFault::kRefusesClientCertificate:
      return "client.certificate";
    case TlsFault::kNoProtocol:
      return "server.protocol";
    case TlsFault::kNone:
    case TlsFault::kNoTls:
    case TlsFault::kSilent:
    case TlsFault::kNoHandshake:
      break;
  }
  return "server.tls";
}

// Two weeks, or the last quarter of a certificate that lives shorter: one that lives for hours is
// renewed within hours.
bool IsSoon(Clock::time_point end, Clock::duration lifetime) {
  constexpr hours kTwoWeeks{14 * 24};
  return end - Clock::now() < std::min<Clock::duration>(kTwoWeeks, lifetime / 4);
}

}  // namespace

bool CheckTls(const ServerToCheck& server, client::TlsUse use, Findings& findings) {
  const auto report = client::ProbeTls(server.address, *server.credentials, use, server.timeout);
  if (!report.ok()) {
    findings.Fail("server.connection", std::string(report.status().message()),
                  ConnectAdvice(report.status()));
    return false;
  }
  if (report->fault != TlsFault::kNone) {
    findings.Fail(CheckOf(report->fault), client::DescribeTlsFault(server.address, *report),
                  client::AdviseOnTlsFault(*report));
    return false;
  }
  findings.Ok("server.connection", absl::StrCat("it takes connections, and speaks ",
                                                use == client::TlsUse::kGrpc ? "HTTP/2" : "HTTP/1",
                                                " with ", report->version));
  const Clock::time_point end = report->certificate->not_after;
  const std::string is = absl::StrCat("its certificate is trusted, is for ", report->server_name,
                                      ", and ends on ", Day(end));
  if (IsSoon(end, end - report->certificate->not_before)) {
    findings.Warn("server.certificate", absl::StrCat(is, ", soon"),
                  "exchange its files: a server of Octet takes new ones while it runs");
  } else {
    findings.Ok("server.certificate", is);
  }
  const Clock::time_point own_end = server.credentials->certificate_not_after();
  if (server.credentials->has_certificate() && IsSoon(own_end, hours(24 * 365))) {
    findings.Warn("client.certificate",
                  absl::StrCat("the client certificate ends on ", Day(own_end), ", soon"),
                  "have a new one issued");
  }
  return true;
}

}  // namespace octet::cli
