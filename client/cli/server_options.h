// SPDX-License-Identifier: Apache-2.0
// How commands are told which server to ask, whom to trust and what to show.

#pragma once

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"

#include "client/credentials.h"
#include "client/explanation.h"

namespace octet::cli {

struct ServerOptions {
  std::string address = "localhost:8001";
  client::CredentialOptions credentials;
};

// --address, and what AddCredentialOptions adds.
void AddServerOptions(CLI::App& command, ServerOptions& options);

// --tls, --tls-ca, --tls-certificate, --tls-key, --tls-server-name, --token-file and
// --token-without-tls, each of the files with its environment variable. A token is never an
// argument: everybody on a machine sees those.
void AddCredentialOptions(CLI::App& command, client::CredentialOptions& options);

// Reads the files; the token from OCTET_TOKEN where no file is given. Warnings go to standard
// error. Returns the errors of Credentials::Load, and of CheckUseAt for the address.
absl::StatusOr<std::shared_ptr<const client::Credentials>> LoadCredentials(
    const ServerOptions& options);

// client::Explain, for what a command has waited for already: a short look.
absl::Status Explain(const absl::Status& status, const ServerOptions& options,
                     const client::Credentials* credentials);

}  // namespace octet::cli
