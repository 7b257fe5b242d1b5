// SPDX-License-Identifier: Apache-2.0
// What happens to models beside the requests: they are loaded as the store changes, and measured
// while the server is idle.

#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"

#include "server/assembly/model_store.h"
#include "server/config/server_config.h"
#include "server/inference/inference_service.h"
#include "server/metrics/metrics.h"
#include "server/repository/repository_loader.h"
#include "server/repository/store_watcher.h"
#include "server/scheduling/scheduler.h"
#include "server/tuning/tuner.h"
#include "server/tuning/tuning_thread.h"

namespace octet {

class ModelUpkeep {
 public:
  // Borrowed for as long as it lives.
  struct Rooms {
    ModelStore& store;
    Scheduler& scheduler;
    InferenceService& service;
    Metrics& metrics;
  };

  // `on_change` is called after a version has come to serve or has ceased to, never after Stop.
  ModelUpkeep(const ServerConfig& config, const Rooms& rooms, std::function<void()> on_change);
  ModelUpkeep(const ModelUpkeep&) = delete;
  ModelUpkeep& operator=(const ModelUpkeep&) = delete;

  [[nodiscard]] RepositoryLoader& loader() { return loading_; }

  // As RepositoryLoader::LoadAll. Precondition: the scheduler runs.
  absl::Status LoadAll(const std::function<bool()>& keep_going) {
    return loading_.LoadAll(keep_going);
  }
  // Once what there is has been loaded: starts the threads that the configuration wants.
  void Start();
  // Once requests drain, and before the scheduler ends; may be called again.
  void Stop();

 private:
  const bool watches_;
  const bool tunes_;
  TuningThread tuning_;
  RepositoryLoader loading_;
  StoreWatcher watcher_;
  const std::shared_ptr<Tuner> tuner_;
};

}  // namespace octet
