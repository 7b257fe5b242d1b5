// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol over REST, health, metrics and the status page, on one thread called
// `http`, which touches sockets and answers what is known at once: inference is a worker's.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "server/access/credential_files.h"
#include "server/frontends/http/connection.h"
#include "server/frontends/http/control_answers.h"
#include "server/frontends/http/http_router.h"
#include "server/inference/inference_service.h"
#include "server/scheduling/event_source.h"
#include "server/scheduling/posted_work.h"

namespace octet {

// Who runs models. Borrowed.
struct HttpInference {
  InferenceService* service = nullptr;  // null: nobody
  PostedWork* workers = nullptr;
};

// Thread safety: Create, EndConnections, Finish and the destructor from one thread; the rest from
// any.
class HttpServer {
 public:
  struct Options {
    // "host:port" (port 0: any free one) or "unix:PATH". The second answers /metrics only.
    std::string http_address = "0.0.0.0:8000";
    std::string metrics_address = "0.0.0.0:8002";
    // Of each address, so that whoever holds all of the public one keeps no scrape away; more are
    // told so and closed.
    std::size_t max_connections = 256;
    ConnectionLimits limits = {};
    std::size_t max_request_bytes = std::size_t{64} << 20;
    // Of all bodies that are coming in or wait, together.
    std::size_t max_buffered_bytes = std::size_t{1} << 30;
    // Told now and then how many bytes that is, rounded up; any thread. Null: nobody.
    std::function<void(std::size_t bytes)> on_buffered = nullptr;
    // Of each address; null: by an AccessPolicy as it is.
    HttpAuthorize authorize_http = nullptr;
    HttpAuthorize authorize_metrics = nullptr;
    // Of each address.
    struct Tls {
      const TlsProvider* provider = nullptr;  // borrowed; null: no TLS
      ClientCertificates clients = ClientCertificates::kIgnored;
    };
    Tls http_tls = {};
    Tls metrics_tls = {};
  };

  // Binds both addresses and starts the thread. What `rooms` and `inference` refer to is borrowed
  // for as long as the server lives; the functions are called on the thread.
  // Returns INVALID_ARGUMENT for an address that does not parse or resolve, UNAVAILABLE for one
  // that cannot be bound; the message names the address.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Create(Options options, HttpRooms rooms,
                                                            HttpInference inference = {});

  // Closes every connection and joins the thread. Precondition: every request that was handed on
  // is answered.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The addresses as bound, with the real ports.
  [[nodiscard]] const std::string& http_address() const;
  [[nodiscard]] const std::string& metrics_address() const;

  // What has become of connections since the start, at each address.
  struct AddressCounts {
    std::uint64_t failed_handshakes = 0;
    std::uint64_t refused_connections = 0;  // because there were too many
    std::size_t open_connections = 0;       // now
  };
  struct Counts {
    AddressCounts http;
    AddressCounts metrics;
    std::size_t buffered_bytes = 0;  // now
  };
  [[nodiscard]] Counts counts() const;

  // From now on the HTTP address takes no connection; those on which nothing is under way end, the
  // others after their answer.
  void EndConnections();
  // Returns when none of them is left, at `deadline` at the latest.
  void Finish(TimePoint deadline);

 private:
  class Loop;
  explicit HttpServer(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace octet
