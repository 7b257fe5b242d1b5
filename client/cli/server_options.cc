// SPDX-License-Identifier: Apache-2.0
#include "client/cli/server_options.h"

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "grpc/support/log.h"

#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

constexpr std::chrono::milliseconds kLook{5000};

std::string Environment(const char* name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// What gRPC writes of a handshake is said better by Explain().
void KeepGrpcQuiet() {
  if (Environment("GRPC_VERBOSITY").empty()) gpr_set_log_function([](gpr_log_func_args*) {});
}

}  // namespace

void AddServerOptions(CLI::App& command, ServerOptions& options) {
  command.add_option("--address", options.address, "host:port or unix:PATH")->capture_default_str();
  AddCredentialOptions(command, options.credentials);
}

void AddCredentialOptions(CLI::App& command, client::CredentialOptions& options) {
  const char* const group = "TLS and token";
  command.add_flag("--tls", options.tls, "Speak TLS; also with any of the next four")->group(group);
  command
      .add_option("--tls-ca", options.ca_file,
                  "PEM file with the issuers that are trusted; default: the system's")
      ->envname("OCTET_TLS_CA")
      ->group(group);
  command
      .add_option("--tls-certificate", options.certificate_file,
                  "PEM file with this client's certificate, for mutual TLS")
      ->envname("OCTET_TLS_CERTIFICATE")
      ->group(group);
  command.add_option("--tls-key", options.key_file, "PEM file with its private key")
      ->envname("OCTET_TLS_KEY")
      ->group(group);
  command
      .add_option("--tls-server-name", options.server_name,
                  "Whom the server's certificate has to name; default: the address's host")
      ->envname("OCTET_TLS_SERVER_NAME")
      ->group(group);
  command
      .add_option("--token-file", options.token_file,
                  "File with a bearer token; or the token in OCTET_TOKEN")
      ->envname("OCTET_TOKEN_FILE")
      ->group(group);
  command
      .add_flag("--token-without-tls", options.token_without_tls,
                "Send the token without TLS to other machines too")
      ->group(group);
}

absl::StatusOr<std::shared_ptr<const client::Credentials>> LoadCredentials(
    const ServerOptions& options) {
  KeepGrpcQuiet();
  client::CredentialOptions from = options.credentials;
  if (from.token_file.empty()) from.token = Environment("OCTET_TOKEN");
  from.token_source = "OCTET_TOKEN";
  ASSIGN_OR_RETURN(auto credentials, client::Credentials::Load(from));
  RETURN_IF_ERROR(credentials->CheckUseAt(options.address));
  for (const std::string& warning : credentials->warnings()) {
    std::cerr << "warning: " << warning << "\n";
  }
  return credentials;
}

absl::Status Explain(const absl::Status& status, const ServerOptions& options,
                     const client::Credentials* credentials) {
  return client::Explain(status, options.address, credentials, kLook);
}

}  // namespace octet::cli
