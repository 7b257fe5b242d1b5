// SPDX-License-Identifier: Apache-2.0
// The gRPC front end: one asynchronous server on one completion queue, which the workers poll.
//
// No thread of its own serves a call: ModelInfer is read from its raw bytes by the worker that
// polls, ModelStreamInfer alike, every other method, health and reflection with their streams
// included, is served from the same queue. Only Shutdown has a thread beside it, `uploads`, for as
// long as it runs.

#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "server/access/access_control.h"
#include "server/access/credential_files.h"
#include "server/frontends/grpc/control_methods.h"
#include "server/inference/inference_service.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_loader.h"
#include "server/scheduling/event_source.h"
#include "server/shared_memory/shared_memory_regions.h"

namespace octet {

// Thread safety: Create, Shutdown and the destructor from one thread; Poll by one thread at a time;
// the rest from any.
class GrpcServer final : public EventSource {
 public:
  struct Options {
    std::string address = "0.0.0.0:8001";  // "host:port" (port 0: any free one) or "unix:PATH"
    std::size_t max_request_bytes = std::size_t{64} << 20;
    // The most that the transport holds, of all connections: near it, it reads no further, and
    // beyond it closes connections.
    std::size_t max_buffered_bytes = std::size_t{1} << 30;
    int max_streams_per_connection = 1024;
    int max_metadata_bytes = 16 << 10;  // of one call's headers
    std::string server_version;
    // With which clients load and unload models; null: they cannot. Borrowed as the service is.
    RepositoryLoader* loader = nullptr;
    // Which clients of this machine may register; null: none can. Borrowed as the service is.
    SharedMemoryRegions* shared_memory = nullptr;
    // Who may call what. Borrowed likewise; null: everybody everything that needs no role `admin`,
    // and this machine's callers that too.
    const AccessControl* access = nullptr;
    // With what it serves TLS. Borrowed likewise; null: it does not.
    const TlsProvider* tls = nullptr;
    ClientCertificates client_certificates = ClientCertificates::kIgnored;  // of TLS
    ProtocolSettings settings = {};
  };

  // Binds the address; calls are answered once a Scheduler polls this, and refused by `service`
  // until it serves. `service` and `repository` are borrowed for as long as the server lives.
  // Returns UNAVAILABLE, naming the address, if it cannot be bound.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Create(Options options,
                                                            InferenceService& service,
                                                            const ModelRepository& repository);
  // Precondition: Shutdown has returned, or nobody ever polled.
  ~GrpcServer() override;
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // The address as bound, with the real port.
  [[nodiscard]] const std::string& address() const;

  // Another max_buffered_bytes, from now on: where more is held, connections are closed. Any
  // thread.
  void SetMaxBufferedBytes(std::size_t bytes);

  // Tells the health watchers after InferenceService::SetState.
  void NotifyStateChanged();

  // Ends every stream, tells the connections to go away, lets what is inside finish until
  // `deadline`, cancels the rest, and shuts the event source down. Workers poll meanwhile. A
  // request that had wholly arrived is inside; one that had not ends as CANCELLED or UNAVAILABLE.
  void Shutdown(TimePoint deadline);

  Polled Poll(std::size_t worker, TimePoint until) override;
  void Wake() override;

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace octet
