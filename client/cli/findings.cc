// SPDX-License-Identifier: Apache-2.0
#include "client/cli/findings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "models/base/utf8.h"

namespace octet::cli {
namespace {

const char* NameOf(Severity severity) {
  switch (severity) {
    case Severity::kOk:
      return "ok";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "unknown";
}

// A server's or a file's words move no cursor of this terminal.
std::string Printable(const std::string& text) {
  std::string printable = ValidUtf8(text, std::size_t{4} << 10);
  std::replace_if(
      printable.begin(), printable.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return printable;
}

}  // namespace

std::size_t Findings::Count(Severity severity) const {
  return static_cast<std::size_t>(
      std::count_if(all_.begin(), all_.end(),
                    [severity](const Finding& finding) { return finding.severity == severity; }));
}

std::string Findings::ToText() const {
  std::string text;
  for (const Finding& finding : all_) {
    const std::string severity = NameOf(finding.severity);
    absl::StrAppend(&text, severity, std::string(9 - severity.size(), ' '), finding.check, ": ",
                    Printable(finding.message), "\n");
    if (!finding.advice.empty()) {
      absl::StrAppend(&text, std::string(9, ' '), "-> ", Printable(finding.advice), "\n");
    }
  }
  absl::StrAppend(&text, Count(Severity::kError), " errors, ", Count(Severity::kWarning),
                  " warnings\n");
  return text;
}

std::string Findings::ToJson(const std::string& subject) const {
  nlohmann::ordered_json json = {{"subject", Printable(subject)},
                                 {"errors", Count(Severity::kError)},
                                 {"warnings", Count(Severity::kWarning)},
                                 {"findings", nlohmann::ordered_json::array()}};
  for (const Finding& finding : all_) {
    json["findings"].push_back({{"severity", NameOf(finding.severity)},
                                {"check", finding.check},
                                {"message", Printable(finding.message)},
                                {"advice", Printable(finding.advice)}});
  }
  return json.dump(2) + "\n";
}

absl::Status Findings::Outcome() const {
  const std::size_t errors = Count(Severity::kError);
  if (errors == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("found ", errors, errors == 1 ? " error" : " errors"));
}

}  // namespace octet::cli
