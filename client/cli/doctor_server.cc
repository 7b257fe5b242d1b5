// SPDX-License-Identifier: Apache-2.0
// `octet doctor ADDRESS`.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "client/cli/doctor_checks.h"
#include "client/client.h"
#include "client/tls_socket.h"
#include "client/wire_probe.h"

namespace octet::cli {
namespace {

using client::WireKind;

// A server that waits for TLS may just close when it gets something else.
WireKind LookAgain(WireKind kind, const ServerToCheck& server) {
  if (kind != WireKind::kSilent) return kind;
  const absl::StatusOr<bool> has_tls = client::SpeaksTls(server.address, server.timeout);
  return has_tls.ok() && *has_tls ? WireKind::kTls : kind;
}

// Whether gRPC without TLS makes sense there.
bool CheckWire(const ServerToCheck& server, Findings& findings) {
  absl::StatusOr<WireKind> kind = client::ProbeWire(server.address, server.timeout);
  if (!kind.ok()) {
    findings.Fail("server.connection", std::string(kind.status().message()),
                  ConnectAdvice(kind.status()));
    return false;
  }
  switch (LookAgain(*kind, server)) {
    case WireKind::kHttp2:
      findings.Ok("server.connection", "it takes connections, and speaks HTTP/2 without TLS");
      return true;
    case WireKind::kTls:
      findings.Fail("server.tls", "it wants TLS, and this asks without",
                    "give --tls-ca FILE, or --tls if the system trusts its issuer");
      return false;
    case WireKind::kHttp1:
      findings.Fail("server.protocol", "it speaks HTTP/1: this is no gRPC port",
                    "ask the gRPC port, 8001 unless --grpc-address says otherwise; 8000 is HTTP, "
                    "asked as http://HOST:PORT, 8002 metrics");
      return false;
    case WireKind::kSilent:
      findings.Fail("server.tls", "it takes the connection, but does not answer HTTP/2 without TLS",
                    "it may hang, or be a proxy whose backend is gone: look at its log");
      return false;
    case WireKind::kOther:
      findings.Fail("server.protocol", "what listens there speaks neither HTTP/2, HTTP/1 nor TLS",
                    "check the port");
      return false;
  }
  return false;
}

}  // namespace

std::string ConnectAdvice(const absl::Status& status) {
  if (absl::IsInvalidArgument(status)) return "give host:port or unix:PATH";
  if (absl::IsNotFound(status)) return "check the name, and the DNS of this machine or container";
  if (absl::IsDeadlineExceeded(status)) {
    return "a firewall or network policy drops the packets, or the machine is gone: try from the "
           "server's own machine";
  }
  return "start the server, or check the port: gRPC is 8001 unless --grpc-address says otherwise; "
         "a server bound to 127.0.0.1 answers its own machine alone";
}

std::string RefusalAdvice(const absl::Status& status, const std::string& otherwise) {
  if (absl::IsUnauthenticated(status)) {
    return "give --token-file FILE, or a client certificate, that its access file knows";
  }
  if (absl::IsPermissionDenied(status)) {
    return "give --token-file FILE, or a client certificate, that has one of these roles";
  }
  return otherwise;
}

void CheckReadiness(const absl::StatusOr<bool>& ready, Findings& findings) {
  if (!ready.ok()) {
    findings.Fail("server.ready",
                  absl::StrCat("it does not say whether it is ready: ",
                               std::string(ready.status().message())),
                  RefusalAdvice(ready.status(),
                                "look at its log; a server without the Open Inference Protocol "
                                "cannot be asked"));
  } else if (*ready) {
    findings.Ok("server.ready", "it is ready");
  } else {
    findings.Fail("server.ready", "it is not ready: it loads, drains, or has no model to serve",
                  "look at the models below and at its log; wait if it has just been started");
  }
}

void CheckReleaseOf(const absl::StatusOr<client::ServerMetadata>& server, Findings& findings) {
  if (!server.ok()) {
    findings.Warn("server.release", std::string(server.status().message()),
                  RefusalAdvice(server.status(), "look at its log"));
    return;
  }
  const std::string is = absl::StrCat("it is ", server->name, " ", server->version);
  if (server->name != "octet") {
    findings.Warn("server.release", absl::StrCat(is, ", not octet-server"),
                  "what is said below is as that server says it");
  } else if (server->version != OCTET_VERSION) {
    findings.Warn("server.release", absl::StrCat(is, ", this is octet " OCTET_VERSION),
                  "use one release for both: bundles of a newer one may be refused by an older");
  } else {
    findings.Ok("server.release", is);
  }
}

void CheckIndex(const absl::StatusOr<std::vector<client::IndexedModel>>& index,
                Findings& findings) {
  if (!index.ok()) {
    findings.Warn(
        "server.models",
        absl::StrCat("it does not list its models: ", std::string(index.status().message())),
        RefusalAdvice(index.status(), "ask for the readiness of each by name"));
    return;
  }
  std::size_t num_ready = 0;
  for (const client::IndexedModel& model : *index) {
    const std::string name = absl::StrCat(
        model.name, model.version.empty() ? "" : absl::StrCat(" version ", model.version));
    if (model.state == "READY") {
      ++num_ready;
      if (model.reason.empty()) continue;
      findings.Warn("server.models", absl::StrCat(name, " serves, but: ", model.reason),
                    "mend what lies in the model repository");
    } else if (model.state == "LOADING" || model.state == "UNLOADING") {
      findings.Warn("server.models", absl::StrCat(name, " is ", model.state, ": ", model.reason),
                    "wait; a bundle that is still being copied is loaded once it is whole");
    } else {
      findings.Fail("server.models",
                    absl::StrCat(name, " is not served",
                                 model.reason.empty() ? "" : absl::StrCat(": ", model.reason)),
                    "mend its bundle (octet doctor BUNDLE says what is wrong with it), or load it "
                    "if it was unloaded");
    }
  }
  if (index->empty()) {
    findings.Fail("server.models", "its model repository holds no model",
                  "copy a bundle to <repository>/<model>/<version>/");
  } else {
    findings.Ok("server.models",
                absl::StrCat(num_ready, " of ", index->size(), " versions are ready"));
  }
}

void CheckServer(const ServerToCheck& server, Findings& findings) {
  const bool can_ask = server.credentials->has_tls()
                           ? CheckTls(server, client::TlsUse::kGrpc, findings)
                           : CheckWire(server, findings);
  if (!can_ask) return;
  client::Client client(server.address, server.credentials);
  CheckReadiness(client.ServerReady(server.timeout), findings);
  CheckReleaseOf(client.GetServerMetadata(server.timeout), findings);
  CheckIndex(client.GetRepositoryIndex(server.timeout), findings);
}

}  // namespace octet::cli
