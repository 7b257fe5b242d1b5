// SPDX-License-Identifier: Apache-2.0
#include "server/assembly/model_upkeep.h"

#include <utility>
#include <vector>

#include "kernels/kernel_set.h"
#include "server/process/server_log.h"

namespace octet {
namespace {

Tuner::Options TunerOptions(const ServerConfig& config, const ModelStore& store) {
  Tuner::Options options;
  options.choices_path = store.choices_path();
  options.budget = config.tune_budget;
  return options;
}

}  // namespace

ModelUpkeep::ModelUpkeep(const ServerConfig& config, const Rooms& rooms,
                         std::function<void()> on_change)
    : watches_(config.repository_poll.count() > 0),
      tunes_(config.tune_budget.count() > 0),
      tuning_([&service = rooms.service] { return service.gate().counts(); },
              kernels::PrepareThread),
      loading_({.path = config.model_repository,
                .models = config.models,
                .on_outcome = LogOutcome,
                .on_change =
                    [this, on_change = std::move(on_change)] {
                      tuning_.NotifyChange();
                      on_change();
                    },
                .on_thread_start = kernels::PrepareThread},
               {rooms.store.loader(), rooms.store.repository(), rooms.metrics, &rooms.scheduler}),
      watcher_(
          {.path = config.model_repository, .poll = config.repository_poll},
          [this](std::vector<StoredModel> listing) { loading_.SetListing(std::move(listing)); }),
      tuner_(std::make_shared<Tuner>(
          TunerOptions(config, rooms.store), rooms.store.choices(),
          Tuner::Served{rooms.store.loader(), rooms.store.repository(), rooms.scheduler,
                        rooms.metrics, rooms.store.costs()},
          tuning_)) {}

void ModelUpkeep::Start() {
  loading_.Start();
  if (watches_) watcher_.Start();
  if (tunes_) tuning_.Start([tuner = tuner_] { tuner->Run(); });
}

void ModelUpkeep::Stop() {
  watcher_.Stop();
  tuning_.Stop();
  loading_.Stop();
}

}  // namespace octet
