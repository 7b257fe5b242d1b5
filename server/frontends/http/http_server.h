// SPDX-License-Identifier: Apache-2.0
// Health, metadata, metrics and the status page over HTTP/1.1, on one thread called `http`.

#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "server/frontends/http/routes.h"

namespace octet {

// Thread safety: Create and the destructor from one thread; the rest from any.
class HttpServer {
 public:
  struct Options {
    // "host:port" (port 0: any free one) or "unix:PATH". The second answers /metrics only.
    std::string http_address = "0.0.0.0:8000";
    std::string metrics_address = "0.0.0.0:8002";
    // Of each address, so that whoever holds all of the public one keeps no scrape away; more are
    // closed at once.
    std::size_t max_connections = 256;
    std::chrono::milliseconds timeout{10'000};  // for a request to come, and for its answer to go
  };

  // Binds both addresses and starts the thread. What `rooms` refers to is borrowed for as long as
  // the server lives; its functions are called on the thread.
  // Returns INVALID_ARGUMENT for an address that does not parse or resolve, UNAVAILABLE for one
  // that cannot be bound; the message names the address.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Create(Options options, HttpRooms rooms);

  // Closes every connection and joins the thread.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The addresses as bound, with the real ports.
  [[nodiscard]] const std::string& http_address() const;
  [[nodiscard]] const std::string& metrics_address() const;

 private:
  class Loop;
  explicit HttpServer(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace octet
