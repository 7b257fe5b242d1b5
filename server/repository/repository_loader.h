// SPDX-License-Identifier: Apache-2.0
// Keeps what is served as what lies in the store: loads what is new or has changed, takes away what
// is gone, off the path of requests.
//
// A version takes requests once every worker has its Session, and not before; the one in whose
// place it comes keeps those that are inside, and is freed when the last of them is answered. What
// cannot be loaded changes nothing of what serves.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "models/base/mutex.h"
#include "server/metrics/metrics.h"
#include "server/repository/bundle_loader.h"
#include "server/repository/load_plan.h"
#include "server/repository/model_repository.h"
#include "server/repository/model_settings.h"
#include "server/repository/store_listing.h"
#include "server/scheduling/scheduler.h"

namespace octet {

// Thread safety: LoadAll, Start, Turn and the destructor from one thread, the first before the
// second, Turn instead of it; the rest from any.
class RepositoryLoader {
 public:
  using Listing = std::vector<StoredModel>;
  using Done = std::function<void(absl::Status)>;

  struct Options {
    std::string path;  // of the store
    SettingsOfModels models = {};
    LoadTimes times = {};
    // All three where given. Of each version that was loaded or refused:
    std::function<void(const LoadOutcome&)> on_outcome = nullptr;
    // After a version has come to serve, or has ceased to; never after Stop has returned.
    std::function<void()> on_change = nullptr;
    // First on each thread that loads.
    std::function<void()> on_thread_start = nullptr;
    // Of a clock that never goes back; tests have one of their own.
    std::function<std::chrono::nanoseconds()> now = [] {
      return std::chrono::steady_clock::now().time_since_epoch();
    };
  };
  // What it works on; borrowed for as long as it lives.
  struct Rooms {
    const BundleLoader& loader;
    ModelRepository& repository;
    Metrics& metrics;
    Scheduler* scheduler = nullptr;  // null: workers make their Sessions when they need them
  };

  RepositoryLoader(Options options, Rooms rooms);
  // Stops, and waits until the thread has ended: for a step of a load, at most.
  ~RepositoryLoader();
  RepositoryLoader(const RepositoryLoader&) = delete;
  RepositoryLoader& operator=(const RepositoryLoader&) = delete;

  // Loads everything that is to be served, on this thread: read, verify, compile, self-test,
  // warm-up. A bundle that fails is quarantined: it stays in the index with its reason, and the
  // others serve. `keep_going`, where given, is asked before each. Returns NOT_FOUND or UNAVAILABLE
  // if the folder cannot be listed, CANCELLED if `keep_going` said no; never an error for a bad
  // bundle.
  absl::Status LoadAll(const std::function<bool()>& keep_going = nullptr);

  // Starts the thread `load`.
  void Start();

  // Returns without waiting for what is being loaded: only what touches the workers is waited for.
  // Who waits for a Done hears that the server is shutting down.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_, exchange_mutex_);

  // What lies in the store now.
  void SetListing(Listing listing) ABSL_LOCKS_EXCLUDED(mutex_);

  // Looks at the store and loads what is to be served of the model, that which was refused before
  // included. `done` is called once, on another thread: NOT_FOUND for a model that is not there, or
  // the first error of loading.
  void Load(const std::string& model, Done done) ABSL_LOCKS_EXCLUDED(mutex_);

  // Unloads all versions of the model; the store does not bring them back before Load does. `done`
  // is called once, on another thread, when the last request of them is answered and their memory
  // is given back; NOT_FOUND for an unknown model.
  void Unload(const std::string& model, Done done) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the thread does, once: one load of each model at most. Returns when there is something to
  // do next, if nothing comes before.
  std::optional<std::chrono::nanoseconds> Turn() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Version {
    VersionRecord record;
    std::string path;
    absl::Status stored;  // an error: not to be loaded
  };
  struct Model {
    absl::Status stored;
    bool is_held_out = false;
    std::map<std::int64_t, Version> versions;
  };
  // A version that requests cannot get any more, but may still have.
  struct Retiring {
    ModelHandle handle;
    bool is_unloaded = false;  // and not replaced
  };
  struct Command {
    bool is_load = false;
    std::string model;
    Done done;
  };
  using Models = std::map<std::string, Model>;

  void Ask(Command command) ABSL_LOCKS_EXCLUDED(mutex_);
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeListing(const Listing& listing);
  void TakeVersion(const StoredModel& stored, const StoredVersion& version, Model& model);
  void RefuseModel(const StoredModel& stored, Model& model);
  // Forgets what is neither stored nor served.
  void DropGone();
  [[nodiscard]] LoadPlan PlanOf(const std::string& name, const Model& model) const;
  [[nodiscard]] const VersionPolicy& PolicyOf(const std::string& name) const;

  void Obey(Command command);
  absl::Status LoadNow(const std::string& name);
  // Tries one version. `is_last_word`: what is not whole is refused at once. Returns its error.
  absl::Status Try(const std::string& name, Version& version, bool is_last_word);
  LoadOutcome LoadAside(const LoadOrder& order);
  // Gives every worker its Session and requests the version.
  absl::Status Exchange(const ModelHandle& handle);
  void Refuse(const LoadOutcome& outcome, Version& version, bool is_last_word);
  void TakeAway(const std::string& name, Model& model, std::int64_t version);
  void DescribeLeftOut(const std::string& name, const Model& model,
                       const std::vector<std::int64_t>& versions);
  // Frees what nobody uses any more.
  void FreeRetired();
  void AnswerWaiting(const absl::Status& status, bool all);
  bool RunUnlessStopped(absl::FunctionRef<void()> work) ABSL_LOCKS_EXCLUDED(exchange_mutex_);
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  const Options options_;
  const Rooms rooms_;

  // Of the thread that loads.
  Models models_;
  std::vector<Retiring> retiring_;
  std::vector<Command> waiting_;  // for the last request of what they unloaded
  bool is_aside_ = false;         // whether it has a thread

  std::atomic<bool> stopped_ = false;
  Mutex exchange_mutex_;  // held by what runs unless stopped
  Mutex mutex_;
  CondVar woken_;
  std::optional<Listing> listing_ ABSL_GUARDED_BY(mutex_);
  std::vector<Command> commands_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace octet
