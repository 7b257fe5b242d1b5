// SPDX-License-Identifier: Apache-2.0
// `octet doctor`: what is wrong with a server, a bundle or this machine, and what to do.

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "client/cli/commands.h"
#include "client/cli/doctor_checks.h"
#include "client/cli/server_options.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

struct DoctorOptions {
  std::string subject = "host";
  client::CredentialOptions credentials;
  std::int64_t timeout_ms = 5000;
  bool json = false;
};

// "HOST:PORT", "unix:PATH" and "https://HOST:PORT", where no file is called so.
bool IsAddress(const std::string& subject) {
  std::error_code error;
  if (absl::StartsWith(subject, "unix:")) return true;
  return absl::StrContains(subject, ':') && !std::filesystem::exists(subject, error);
}

// An address as it is asked, from "https://host:port/".
struct Url {
  bool is_http = false;
  bool has_tls = false;
  std::string address;
};

Url ParseUrl(absl::string_view subject) {
  Url url;
  url.has_tls = absl::ConsumePrefix(&subject, "https://");
  url.is_http = url.has_tls || absl::ConsumePrefix(&subject, "http://");
  if (url.is_http) absl::ConsumeSuffix(&subject, "/");
  url.address = std::string(subject);
  // The port of HTTP goes without saying; that of gRPC does not.
  const bool has_port = subject.find(':', subject.rfind(']') + 1) != absl::string_view::npos;
  const bool is_ipv6 = absl::StartsWith(subject, "[") && absl::EndsWith(subject, "]");
  if (url.is_http && (!has_port || is_ipv6)) {
    absl::StrAppend(&url.address, url.has_tls ? ":443" : ":80");
  }
  return url;
}

absl::Status CheckAddress(const DoctorOptions& options, Findings& findings) {
  const Url url = ParseUrl(options.subject);
  ServerOptions server{.address = url.address, .credentials = options.credentials};
  if (url.has_tls) server.credentials.tls = true;
  if (url.is_http && !url.has_tls) {
    // What the environment says of TLS is for the others.
    server.credentials = {.token_file = options.credentials.token_file,
                          .token_without_tls = options.credentials.token_without_tls};
  }
  ASSIGN_OR_RETURN(auto credentials, LoadCredentials(server));
  const ServerToCheck check{.address = url.address,
                            .credentials = std::move(credentials),
                            .timeout = std::chrono::milliseconds(options.timeout_ms)};
  if (url.is_http) {
    CheckHttpServer(check, findings);
  } else {
    CheckServer(check, findings);
  }
  return absl::OkStatus();
}

absl::Status Doctor(const DoctorOptions& options) {
  Findings findings;
  if (options.subject == "host") {
    CheckHost("/", findings);
  } else if (IsAddress(options.subject)) {
    RETURN_IF_ERROR(CheckAddress(options, findings));
  } else {
    CheckBundle(options.subject, "/", findings);
  }
  std::cout << (options.json ? findings.ToJson(options.subject) : findings.ToText());
  return findings.Outcome();
}

}  // namespace

void AddDoctor(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand("doctor",
                                           "Say what is wrong with a server, a bundle or this "
                                           "machine, and what to do about it (status 1 "
                                           "if something is).\n"
                                           "Example: octet doctor localhost:8001\n"
                                           "Example: octet doctor https://octet.example:8000 "
                                           "--tls-ca ca.pem --token-file token");
  const auto options = std::make_shared<DoctorOptions>();
  command
      ->add_option("subject", options->subject,
                   "A server: HOST:PORT or unix:PATH for gRPC, http://HOST:PORT or "
                   "https://HOST:PORT; a bundle; or host: this machine")
      ->capture_default_str();
  command->add_option("--timeout-ms", options->timeout_ms, "Milliseconds to wait for each answer")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  AddCredentialOptions(*command, options->credentials);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &result] { result = Doctor(*options); });
}

}  // namespace octet::cli
