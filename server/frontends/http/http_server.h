// SPDX-License-Identifier: Apache-2.0
// Health, metadata, metrics and the status page over HTTP/1.1, on one thread called `http`.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "server/metrics/metrics.h"
#include "server/repository/model_repository.h"

namespace octet {

// Thread safety: Create and the destructor from one thread; the rest from any.
class HttpServer {
 public:
  struct Options {
    // "host:port" (port 0: any free one) or "unix:PATH".
    std::string http_address = "0.0.0.0:8000";
    std::string metrics_address = "0.0.0.0:8002";
    std::string server_version;
    std::size_t max_connections = 256;          // more are closed at once
    std::chrono::milliseconds timeout{10'000};  // for a request to come, and for its answer to go
  };
  // What the pages show. The references are borrowed for as long as the server lives.
  struct Rooms {
    const ModelRepository& repository;
    Metrics& metrics;
    std::function<bool()> is_ready;  // called on the thread `http`
  };

  // Binds both addresses and starts the thread.
  // Returns INVALID_ARGUMENT for an address that does not parse, UNAVAILABLE naming the address for
  // one that cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Create(Options options, Rooms rooms);

  // Closes every connection and joins the thread.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The addresses as bound, with the real ports.
  [[nodiscard]] const std::string& http_address() const;
  [[nodiscard]] const std::string& metrics_address() const;

 private:
  class Listeners;
  explicit HttpServer(std::unique_ptr<Listeners> listeners);

  std::unique_ptr<Listeners> listeners_;
};

}  // namespace octet
