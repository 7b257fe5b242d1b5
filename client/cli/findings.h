// SPDX-License-Identifier: Apache-2.0
// What `octet doctor` finds: how bad it is, what it means, what to do.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace octet::cli {

enum class Severity : std::uint8_t {
  kOk,       // as it should be, or nothing to do about
  kWarning,  // it works, and worse than it could
  kError,    // it does not work
};

struct Finding {
  Severity severity = Severity::kOk;
  std::string check;    // a stable name, such as "cpu.quota"
  std::string message;  // what was found, and what it means
  std::string advice;   // what to do; empty if nothing
};

class Findings {
 public:
  void Ok(std::string check, std::string message) {
    all_.push_back({Severity::kOk, std::move(check), std::move(message), ""});
  }
  void Warn(std::string check, std::string message, std::string advice) {
    all_.push_back({Severity::kWarning, std::move(check), std::move(message), std::move(advice)});
  }
  void Fail(std::string check, std::string message, std::string advice) {
    all_.push_back({Severity::kError, std::move(check), std::move(message), std::move(advice)});
  }

  [[nodiscard]] const std::vector<Finding>& all() const { return all_; }
  [[nodiscard]] std::size_t Count(Severity severity) const;

  // One line a finding and one for its advice, for people; texts of others escaped.
  [[nodiscard]] std::string ToText() const;
  // {"subject": ..., "errors": N, "warnings": N, "findings": [{"severity", "check", "message",
  // "advice"}]}.
  [[nodiscard]] std::string ToJson(const std::string& subject) const;

  // FAILED_PRECONDITION if there are errors.
  [[nodiscard]] absl::Status Outcome() const;

 private:
  std::vector<Finding> all_;
};

}  // namespace octet::cli
