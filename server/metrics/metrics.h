// SPDX-License-Identifier: Apache-2.0
// What is exposed to Prometheus; metric_list.h names each metric.
//
// Nothing on the request path touches prometheus-cpp: workers write blocks of their own
// (ModelMetrics), and a scrape merges them.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"

#include "models/base/mutex.h"
#include "server/metrics/model_metrics.h"

namespace octet {

// The step of a load at which a bundle was refused: the bounded `reason` of load failures.
enum class LoadStep : std::uint8_t { kFind, kRead, kCompile, kSelfTest, kWarmUp };
inline constexpr std::size_t kNumLoadSteps = 5;
// "find", "read", "compile", "self_test", "warm_up".
const char* LoadStepName(LoadStep step);

// A recorded evaluation of one version.
struct EvaluationFigure {
  std::string dataset;
  std::int64_t samples = 0;
  double accuracy = 0;  // 0 to 1
};

// What is known of a version once it is loaded.
struct LoadedModelFigures {
  std::string kernel_set;
  std::string digest;
  double load_seconds = 0;
  std::vector<EvaluationFigure> evaluations;  // at most one a data set
};

// What the server has measured of its layers' implementations, since it started.
struct TuningFigures {
  std::size_t pending_layers = 0;
  std::uint64_t measured_layers = 0;
  std::uint64_t recompiled_versions = 0;
  std::chrono::nanoseconds time{0};
};

// Who was refused, and what became of the files that say who is known.
struct AccessFigures {
  struct Refusals {
    std::string listener;
    std::uint64_t unauthenticated = 0;
    std::uint64_t permission_denied = 0;
  };
  struct Reloads {
    std::string files;
    std::uint64_t taken = 0;
    std::uint64_t refused = 0;
  };
  struct FailedHandshakes {
    std::string listener;
    std::uint64_t count = 0;
  };
  std::vector<Refusals> refusals;
  // Of a listener of HTTP.
  struct Connections {
    std::string listener;
    std::size_t open = 0;
    std::uint64_t refused = 0;
  };
  struct Limit {
    std::string name;
    double value = 0;
  };
  std::vector<FailedHandshakes> failed_handshakes = {};
  std::vector<Connections> connections = {};
  std::size_t http_buffered_bytes = 0;
  std::vector<Limit> limits = {};
  std::vector<Reloads> reloads;
  std::optional<double> certificate_not_after;  // seconds since 1970
};

// Of what runs beside the requests.
struct OperationsFigures {
  std::size_t computing_threads = 0;
  std::uint64_t log_dropped_lines = 0;
  std::uint64_t log_suppressed_lines = 0;
  std::uint64_t exported_spans = 0;
  std::uint64_t dropped_spans = 0;
  std::uint64_t failed_spans = 0;
};

// Thread safety: any thread may call any method; RecordUnroutedFailure has a rule of its own.
class Metrics {
 public:
  struct Options {
    std::size_t num_workers = 1;  // threads that record, at least 1
    std::string server_version;
    std::string root = "/";  // where proc and sys/fs/cgroup lie; tests use trees of their own
  };
  explicit Metrics(Options options);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // For a version that is about to serve: what workers record to. It is exposed for as long as the
  // caller, or somebody the caller gave it to, holds it. Where one of these labels is still held it
  // is that one, which counts on: the version was replaced.
  [[nodiscard]] std::shared_ptr<ModelMetrics> AddModel(ModelMetrics::Labels labels,
                                                       LoadedModelFigures figures);

  // A bundle that could not be loaded. `model` and `version` are names in the repository's folder,
  // never what a request said.
  void RecordLoadFailure(const std::string& model, const std::string& version, LoadStep step);

  // The version was loaded after all, or is gone: it is no longer exposed as one that is not ready.
  void ForgetLoadFailure(const std::string& model, const std::string& version)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // A request that was answered with an error before it was known which loaded version it is for:
  // an unknown name, bytes that do not parse, draining. Takes no name: what a client made up must
  // not become a label. Called by the thread of worker `worker` < num_workers only.
  void RecordUnroutedFailure(std::size_t worker, absl::StatusCode code);

  // Asked at each scrape, on the scraping thread. Until then: not ready, none in flight.
  struct Sources {
    std::function<bool()> is_ready;
    std::function<std::int64_t()> requests_in_flight;
    std::function<OperationsFigures()> operations = nullptr;
  };
  void SetSources(Sources sources) ABSL_LOCKS_EXCLUDED(mutex_);

  // Asked as the others are; until then there are no such figures.
  void SetAccessSource(std::function<AccessFigures()> source) ABSL_LOCKS_EXCLUDED(mutex_);

  // Replaces what was said before.
  void SetTuningFigures(const TuningFigures& figures) ABSL_LOCKS_EXCLUDED(mutex_);

  // Everything, in Prometheus's text format 0.0.4.
  [[nodiscard]] std::string Scrape() const ABSL_LOCKS_EXCLUDED(mutex_);

  [[nodiscard]] std::size_t num_workers() const { return options_.num_workers; }

 private:
  struct UnroutedBlock;  // one worker's failures by code
  struct Model {
    std::weak_ptr<ModelMetrics> metrics;
    LoadedModelFigures figures;
  };
  struct RefusedVersion {
    std::string model;
    std::string version;
  };

  const Options options_;
  const std::unique_ptr<UnroutedBlock[]> unrouted_;

  mutable Mutex mutex_;
  Sources sources_ ABSL_GUARDED_BY(mutex_);
  std::function<AccessFigures()> access_ ABSL_GUARDED_BY(mutex_);
  TuningFigures tuning_ ABSL_GUARDED_BY(mutex_);
  std::vector<Model> models_ ABSL_GUARDED_BY(mutex_);
  std::vector<RefusedVersion> refused_ ABSL_GUARDED_BY(mutex_);
  std::array<std::uint64_t, kNumLoadSteps> load_failures_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace octet
