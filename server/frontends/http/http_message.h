// SPDX-License-Identifier: Apache-2.0
// One HTTP request and its reply, apart from sockets.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "server/access/identity_list.h"
#include "server/frontends/http/body_buffer.h"

namespace octet {

struct HeaderField {
  std::string name;
  std::string value;
};

// What comes before a request's body.
struct RequestHead {
  std::string method;
  std::string target;  // path and query, as it came
  unsigned version = 11;
  bool is_keep_alive = true;
  std::vector<HeaderField> fields = {};
  std::optional<std::uint64_t> content_length = std::nullopt;
  bool is_chunked = false;

  // The value of the first field called `name`, in any case; empty without one.
  [[nodiscard]] absl::string_view Find(absl::string_view name) const;
  [[nodiscard]] bool has_body() const { return is_chunked || content_length.value_or(0) > 0; }
};

// Who is at the other end of a connection.
struct HttpPeer {
  using CertificateNames = std::vector<std::pair<CertificateNameKind, std::string>>;

  bool is_own_machine = false;  // over its loopback or a Unix socket
  // Of its certificate, which TLS has verified; null without one.
  std::shared_ptr<const CertificateNames> certificate_names = nullptr;
};

struct HttpRequest {
  RequestHead head;
  BodyBuffer body;
  HttpPeer peer;
  std::function<bool()> is_cancelled;  // whether nobody waits any more; any thread may ask
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "application/json";  // empty: none, and no body
  std::string body;
  std::vector<HeaderField> fields = {};
  // What follows `body`; it lies where `owner` keeps it.
  std::vector<std::span<const std::byte>> tensors = {};
  std::shared_ptr<const void> owner = nullptr;

  // Of `body` and `tensors`.
  [[nodiscard]] std::size_t byte_size() const;
};

// {"error": message}.
HttpReply ErrorReply(unsigned status, absl::string_view message);

// The same, with the status that HTTP has for the error's code (docs/errors.md).
HttpReply ErrorReply(const absl::Status& error);

// 400 for INVALID_ARGUMENT, and so on.
unsigned HttpStatus(absl::StatusCode code);

}  // namespace octet
