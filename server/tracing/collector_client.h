// SPDX-License-Identifier: Apache-2.0
// One POST to an OpenTelemetry collector, on the calling thread, bounded in time and size.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace octet {

// Where a collector takes spans.
struct CollectorEndpoint {
  std::string host;  // without the brackets of an IPv6 address
  std::string port;
  std::string path;  // "/v1/traces"

  friend bool operator==(const CollectorEndpoint&, const CollectorEndpoint&) = default;
};

// Whether a URL is a base, to which OTLP adds the path of its signal, or names the path itself.
enum class EndpointKind : std::uint8_t { kBase, kWhole };

// "http://host[:port][/path]"; the port is 4318 unless given.
// Returns INVALID_ARGUMENT saying what it got and wants. Pure.
absl::StatusOr<CollectorEndpoint> ParseCollectorEndpoint(absl::string_view url, EndpointKind kind);

struct CollectorReply {
  unsigned status = 0;
  std::optional<std::chrono::seconds> retry_after;
  std::string body;  // at most 64 KiB
};

// Thread safety: Post by one thread at a time; GiveUpAt from any.
class CollectorClient {
 public:
  explicit CollectorClient(CollectorEndpoint endpoint);
  ~CollectorClient();
  CollectorClient(const CollectorClient&) = delete;
  CollectorClient& operator=(const CollectorClient&) = delete;

  // Returns what the collector answered, whatever status that is; UNAVAILABLE if there was no
  // answer, DEADLINE_EXCEEDED if there was none within `timeout`. The connection is kept for the
  // next.
  absl::StatusOr<CollectorReply> Post(const std::string& body, std::chrono::milliseconds timeout);

  // Ends what is under way then, and all that begins afterwards.
  void GiveUpAt(std::chrono::steady_clock::time_point time);

 private:
  class Connection;

  const CollectorEndpoint endpoint_;
  std::atomic<std::chrono::steady_clock::rep> give_up_at_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace octet
