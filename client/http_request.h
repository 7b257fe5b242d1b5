// SPDX-License-Identifier: Apache-2.0
// One request over HTTP, for what is asked of a server rarely: health, metadata, metrics.

#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "client/credentials.h"

namespace octet::client {

struct HttpAnswer {
  int status = 0;
  std::string head;  // as it came
  std::string body;

  // The value of the first field of that name, whatever its case.
  [[nodiscard]] std::optional<std::string> Field(absl::string_view name) const;
  // The field Date, to the second.
  [[nodiscard]] std::optional<std::chrono::system_clock::time_point> Date() const;
};

// Reads the status, the fields and what follows. Returns INVALID_ARGUMENT for what is no answer of
// HTTP/1. Pure.
absl::StatusOr<HttpAnswer> ParseHttpAnswer(std::string text);

// Asks host:port or unix:PATH with `method` ("GET", "POST") for `path`, on a connection of its own,
// in HTTP/1.0, with the token and TLS that `credentials` have; they may be null.
// Returns the errors of Socket::Connect and Credentials::CheckUseAt, UNAVAILABLE where no answer
// comes, RESOURCE_EXHAUSTED for one of more than 16 MiB, and the errors of ParseHttpAnswer.
absl::StatusOr<HttpAnswer> AskHttp(const std::string& address, const Credentials* credentials,
                                   absl::string_view method, absl::string_view path,
                                   std::chrono::milliseconds timeout);

}  // namespace octet::client
