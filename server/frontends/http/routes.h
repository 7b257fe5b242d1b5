// SPDX-License-Identifier: Apache-2.0
// What each path answers: no sockets here.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"

#include "server/metrics/metrics.h"
#include "server/repository/model_repository.h"

namespace octet {

// What the answers are made from. The references are borrowed.
struct HttpRooms {
  const ModelRepository& repository;
  const Metrics& metrics;
  std::function<bool()> is_ready;                    // whether inference requests are taken
  std::function<std::int64_t()> requests_in_flight;  // inference requests inside the server
  std::string server_version;
};

enum class HttpSurface : std::uint8_t {
  kAll,
  kMetricsOnly,  // the metrics address
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;  // of a 405: the methods that there are
};

// The answer to `method` on `target` (path and query, as it came). Only GET and HEAD are known; the
// body of a HEAD is the GET's, and not to be sent. An error's body is {"error": "..."}.
HttpReply Answer(absl::string_view method, absl::string_view target, HttpSurface surface,
                 const HttpRooms& rooms);

// {"error": message}, for what fails before there is a path.
HttpReply ErrorReply(unsigned status, absl::string_view message);

}  // namespace octet
