// SPDX-License-Identifier: Apache-2.0
// `octet doctor`: what is wrong with a server, a bundle or this machine, and what to do.

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "client/cli/commands.h"
#include "client/cli/doctor_checks.h"

namespace octet::cli {
namespace {

struct DoctorOptions {
  std::string subject = "host";
  std::int64_t timeout_ms = 5000;
  bool json = false;
};

// "HOST:PORT" and "unix:PATH", where no file is called so.
bool IsAddress(const std::string& subject) {
  std::error_code error;
  if (absl::StartsWith(subject, "unix:")) return true;
  return absl::StrContains(subject, ':') && !std::filesystem::exists(subject, error);
}

absl::Status Doctor(const DoctorOptions& options) {
  Findings findings;
  if (options.subject == "host") {
    CheckHost("/", findings);
  } else if (IsAddress(options.subject)) {
    CheckServer(options.subject, std::chrono::milliseconds(options.timeout_ms), findings);
  } else {
    CheckBundle(options.subject, findings);
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
                                           "Example: octet doctor localhost:8001");
  const auto options = std::make_shared<DoctorOptions>();
  command
      ->add_option("subject", options->subject,
                   "A server's HOST:PORT or unix:PATH, a bundle, or host: this machine")
      ->capture_default_str();
  command->add_option("--timeout-ms", options->timeout_ms, "Milliseconds to wait for each answer")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &result] { result = Doctor(*options); });
}

}  // namespace octet::cli
