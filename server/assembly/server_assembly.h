// SPDX-License-Identifier: Apache-2.0
// The rooms of one server, in the order in which they need each other.

#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"

#include "kernels/kernel_set.h"
#include "models/base/cpu_budget.h"
#include "server/access/access_control.h"
#include "server/access/credential_files.h"
#include "server/assembly/model_store.h"
#include "server/assembly/model_upkeep.h"
#include "server/config/server_config.h"
#include "server/frontends/grpc/grpc_server.h"
#include "server/frontends/http/http_server.h"
#include "server/inference/inference_service.h"
#include "server/inference/request_observer.h"
#include "server/metrics/metrics.h"
#include "server/process/cpu_budget_watch.h"
#include "server/process/server_log.h"
#include "server/process/stop_signals.h"
#include "server/scheduling/posted_work.h"
#include "server/scheduling/scheduler.h"
#include "server/shared_memory/shared_memory_regions.h"
#include "server/tracing/tracer.h"

namespace octet {

// Used once, by one thread: constructed, Listen, Serve.
class ServerAssembly {
 public:
  struct Environment {
    const ServerConfig& config;
    const kernels::KernelSet& kernels;
    CpuBudget cpus;
    std::string version;
    ServerLog& log;
    StopSignals& stop;
  };

  // What `environment` refers to is borrowed for as long as this lives.
  explicit ServerAssembly(const Environment& environment);
  ServerAssembly(const ServerAssembly&) = delete;
  ServerAssembly& operator=(const ServerAssembly&) = delete;

  // Reads what is secret and binds every address. Returns the errors of CredentialFiles::Create,
  // GrpcServer::Create and HttpServer::Create.
  absl::Status Listen();

  // Loads the models, prints on standard output where it listens, and serves until the first
  // signal; then drains. Returns the errors of RepositoryLoader::LoadAll but CANCELLED.
  // Precondition: Listen succeeded.
  absl::Status Serve();

 private:
  // Something has come to serve, or has ceased to.
  void HandleModelChange();
  // From the first model on until what came before the end of the drain delay is answered.
  void ServeUntilStopped();
  // Everything that was read is answered, and its answer on its way or given up.
  void End();

  const Environment environment_;
  const ServerConfig& config_;
  const std::size_t compute_threads_;
  // Bottom to top; destroyed in the opposite order.
  Metrics metrics_;
  ModelStore store_;
  SharedMemoryRegions regions_;
  Scheduler scheduler_;
  InferenceService service_;
  const std::unique_ptr<Tracer> tracer_;             // null: no spans
  const std::unique_ptr<RequestObserver> observer_;  // null: nobody wants to know of requests
  CpuBudgetWatch cpus_;
  ModelUpkeep upkeep_;
  AccessControl access_;
  // By Listen:
  std::unique_ptr<CredentialFiles> credentials_;
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<PostedWork> workers_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace octet
