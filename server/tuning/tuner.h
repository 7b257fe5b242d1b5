// SPDX-License-Identifier: Apache-2.0
// Measures which implementation of each layer is the fastest on this CPU while the server is idle,
// and has the versions that it serves run it; and what batches of each version cost, and has them
// be as large as pays.
//
// One layer at a time, from the bundle read once more, for as long as it works on a version. It
// gives up the layer at hand as soon as a request comes, or the server drains, and goes on with it
// when the server is idle again. A version of which something changes is compiled anew and takes
// the old one's place: it answers the same to the bit, so that nobody notices but by the clock.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "models/bundle/bundle.h"
#include "models/graph/graph.h"
#include "models/runtime/cost_curve_cache.h"
#include "models/runtime/kernel_choices.h"
#include "models/runtime/measure_layers.h"
#include "server/metrics/metrics.h"
#include "server/repository/bundle_loader.h"
#include "server/repository/model_repository.h"
#include "server/scheduling/scheduler.h"
#include "server/tuning/idle_watch.h"
#include "server/tuning/tuning_environment.h"

namespace octet {

// Thread safety: one thread at a time.
class Tuner {
 public:
  struct Options {
    // The file that keeps what is measured; empty: it is forgotten with the process.
    std::string choices_path = {};
    // The most time to measure layers after a start, and after each change of what is served; what
    // was given up counts.
    std::chrono::nanoseconds budget = std::chrono::seconds(60);
    std::chrono::nanoseconds layer_budget = std::chrono::milliseconds(250);
    // Of each version's batches, beside `budget`.
    std::chrono::nanoseconds batches_budget = std::chrono::milliseconds(500);
    // No request for so long: the server is idle.
    std::chrono::nanoseconds quiet = std::chrono::seconds(1);
    // How often it looks whether the server is idle.
    std::chrono::nanoseconds look_every = std::chrono::milliseconds(100);
    std::vector<std::int64_t> batch_sizes = {1, 16};
  };

  // What it works on; borrowed for as long as it lives.
  struct Served {
    const BundleLoader& loader;
    ModelRepository& repository;
    Scheduler& scheduler;
    Metrics& metrics;
    CostCurveCache& costs;
  };

  // `choices`, or null, is what is known already, with which the versions were compiled. The
  // environment is borrowed.
  Tuner(Options options, const std::shared_ptr<const KernelChoices>& choices, Served served,
        TuningEnvironment& environment);

  // Measures the layers of every ready version, until the budget is used up, and their batches; and
  // again whenever what is served has changed. Returns when it was stopped. What was measured by
  // then is kept. Precondition: the scheduler has started, and its
  // event source is not shut down before a call to stop has returned.
  void Run();

 private:
  // One version, while it is worked on.
  struct Work {
    ModelHandle model;
    std::vector<UnmeasuredLayer> layers;
    std::size_t next = 0;          // of `layers`
    std::size_t measured = 0;      // of those before `next`
    std::optional<Bundle> bundle;  // read when it is needed, for as long as the work lasts
    std::optional<Graph> graph;    // as it is compiled
    absl::Status status;           // an error: it cannot be worked on
    std::chrono::nanoseconds time{0};
  };

  // What there is to do for the versions that are ready.
  void TuneServed();
  void TuneVersion(ModelHandle model);
  // What its batches cost, unless it is known.
  void MeasureBatches(const ModelHandle& model);
  // Measures layers until there are none, or until it may not go on.
  void MeasureLayers(Work& work);
  // The same for a while, at once: until the first request.
  void MeasureWhileIdle(Work& work);
  // Compiles the version anew and puts it in the old one's place. Returns CANCELLED if it was
  // stopped, and the errors of Read, Recompile and Prepare: the old one stays.
  absl::Status Exchange(Work& work);
  // Waits until nobody uses `old` any more, and frees it.
  void Retire(ModelHandle old);
  // The bundle and its graph, if they are not there yet.
  absl::Status Read(Work& work) const;
  // Adds what was measured to the file. Says once if that is not possible.
  void Keep();
  // Returns whether the server is idle: if not, it is to stop, or `model` does not serve any more.
  bool WaitUntilIdle(const ModelHandle& model);
  [[nodiscard]] bool IsServed(const ModelHandle& model) const;
  [[nodiscard]] std::chrono::nanoseconds TimeLeft() const {
    return options_.budget - (figures_.time - time_before_);
  }
  [[nodiscard]] bool HasTime() const { return TimeLeft().count() > 0; }
  void Publish();

  const Options options_;
  const Served served_;
  TuningEnvironment& environment_;
  IdleWatch idle_;
  KernelChoices choices_;          // all that is known
  KernelChoices measured_;         // of it, what was measured here
  std::set<std::string> pending_;  // layers to measure, of all versions
  TuningFigures figures_;
  std::chrono::nanoseconds time_before_{0};  // figures_.time when the last change came
  bool keeps_ = true;  // whether the file could be written, or was not tried yet
};

}  // namespace octet
