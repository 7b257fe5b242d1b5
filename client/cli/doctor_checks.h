// SPDX-License-Identifier: Apache-2.0
// What `octet doctor` looks at; each adds to `findings`, and fails itself in nothing.

#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "client/cli/findings.h"
#include "client/client.h"
#include "client/credentials.h"
#include "client/tls_socket.h"

namespace octet::cli {

// This machine, for a server that would be started here: CPU, quota, memory, descriptors, ports,
// clock. `root` is where proc and sys lie.
void CheckHost(const std::string& root, Findings& findings);

// A bundle, as a server here would load it. `root` is where sys lies.
void CheckBundle(const std::string& path, const std::string& root, Findings& findings);

struct ServerToCheck {
  std::string address;  // "host:port" or "unix:PATH"
  std::shared_ptr<const client::Credentials> credentials;
  std::chrono::milliseconds timeout{5000};  // of each question
};

// A server, over gRPC.
void CheckServer(const ServerToCheck& server, Findings& findings);
// A server, over HTTP, with TLS if the credentials have it: what gRPC has, the clock, and memory.
void CheckHttpServer(const ServerToCheck& server, Findings& findings);

// Parts of both.
//
// What to do where there is no connection.
std::string ConnectAdvice(const absl::Status& status);
// What to do where an answer was an error.
std::string RefusalAdvice(const absl::Status& status, const std::string& otherwise);
// Whether the address can be asked over TLS. Precondition: the credentials have it.
bool CheckTls(const ServerToCheck& server, client::TlsUse use, Findings& findings);
void CheckReadiness(const absl::StatusOr<bool>& ready, Findings& findings);
void CheckReleaseOf(const absl::StatusOr<client::ServerMetadata>& server, Findings& findings);
void CheckIndex(const absl::StatusOr<std::vector<client::IndexedModel>>& index, Findings& findings);

}  // namespace octet::cli
