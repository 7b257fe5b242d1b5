// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/metrics.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "models/base/cpu_budget.h"
#include "models/base/memory_limit.h"
#include "server/metrics/exposition.h"
#include "server/metrics/metric_list.h"
#include "server/metrics/process_figures.h"

namespace octet {
namespace {

constexpr std::size_t kNumCodes = 17;

// Codes that are exposed from the start, with 0: a rate over a series that appears with its first
// failure does not see that failure.
constexpr std::array kExpectedCodes = {
    absl::StatusCode::kCancelled,         absl::StatusCode::kInvalidArgument,
    absl::StatusCode::kDeadlineExceeded,  absl::StatusCode::kNotFound,
    absl::StatusCode::kResourceExhausted, absl::StatusCode::kInternal,
    absl::StatusCode::kUnavailable,
};

bool IsExpected(std::size_t code) {
  return std::any_of(kExpectedCodes.begin(), kExpectedCodes.end(), [code](absl::StatusCode known) {
    return static_cast<std::size_t>(known) == code;
  });
}

std::string CodeLabel(std::size_t code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

void AddFailures(const ModelMetrics::Labels& labels,
                 const std::array<std::uint64_t, kNumCodes>& by_code, Exposition& exposition) {
  for (std::size_t code = 1; code < kNumCodes; ++code) {
    if (by_code[code] == 0 && !IsExpected(code)) continue;
    exposition.Add(MetricId::kRequestFailures,
                   {labels.model, labels.version, labels.precision, CodeLabel(code)},
                   static_cast<double>(by_code[code]));
  }
}

void AddModelFigures(const ModelMetrics& metrics, const LoadedModelFigures& figures,
                     Exposition& exposition) {
  const ModelMetrics::Labels& labels = metrics.labels();
  const Exposition::LabelValues values = {labels.model, labels.version, labels.precision};
  const auto with = [&values](std::initializer_list<std::string> more) {
    Exposition::LabelValues all = values;
    all.insert(all.end(), more);
    return all;
  };
  exposition.Add(MetricId::kModelReady, values, 1);
  exposition.Add(MetricId::kModelInfo, with({figures.kernel_set, figures.digest}), 1);
  exposition.Add(MetricId::kModelLoadSeconds, values, figures.load_seconds);
  for (const EvaluationFigure& evaluation : figures.evaluations) {
    exposition.Add(MetricId::kModelAccuracy, with({evaluation.dataset}), evaluation.accuracy);
    exposition.Add(MetricId::kModelAccuracySamples, with({evaluation.dataset}),
                   static_cast<double>(evaluation.samples));
  }
  const ModelStatistics statistics = metrics.Statistics();
  exposition.AddDurations(MetricId::kRequestDuration, values, statistics.total);
  for (std::size_t i = 0; i < kNumStages; ++i) {
    exposition.AddDurations(MetricId::kRequestStageDuration,
                            with({StageName(static_cast<Stage>(i))}), statistics.stages[i]);
  }
  AddFailures(labels, statistics.failures_by_code, exposition);
  exposition.Add(MetricId::kRows, values, static_cast<double>(statistics.num_rows));
  exposition.AddBatchRows(MetricId::kBatchRows, values, statistics.batches,
                          static_cast<double>(statistics.num_batch_rows));
  exposition.AddFullness(MetricId::kBatchFullness, values, statistics);
  exposition.Add(MetricId::kBatchLimitRows, values, static_cast<double>(statistics.batch_limit));
  for (std::size_t i = 0; i < kNumDispatchReasons; ++i) {
    exposition.Add(MetricId::kBatches, with({DispatchReasonName(static_cast<DispatchReason>(i))}),
                   static_cast<double>(statistics.batches_by_reason[i]));
  }
  exposition.Add(MetricId::kSplitBatches, values,
                 static_cast<double>(statistics.num_split_batches));
  exposition.Add(MetricId::kHelpedParts, values, static_cast<double>(statistics.num_helped_parts));
}

void AddTuningFigures(const TuningFigures& figures, Exposition& exposition) {
  exposition.Add(MetricId::kTuningPendingLayers, {}, static_cast<double>(figures.pending_layers));
  exposition.Add(MetricId::kTuningMeasuredLayers, {}, static_cast<double>(figures.measured_layers));
  exposition.Add(MetricId::kTuningSeconds, {}, std::chrono::duration<double>(figures.time).count());
  exposition.Add(MetricId::kTuningRecompiledVersions, {},
                 static_cast<double>(figures.recompiled_versions));
}

void AddAccessFigures(const AccessFigures& figures, Exposition& exposition) {
  for (const AccessFigures::Refusals& refusals : figures.refusals) {
    exposition.Add(MetricId::kAccessRefusals, {refusals.listener, "UNAUTHENTICATED"},
                   static_cast<double>(refusals.unauthenticated));
    exposition.Add(MetricId::kAccessRefusals, {refusals.listener, "PERMISSION_DENIED"},
                   static_cast<double>(refusals.permission_denied));
  }
  for (const AccessFigures::Reloads& reloads : figures.reloads) {
    exposition.Add(MetricId::kCredentialReloads, {reloads.files, "taken"},
                   static_cast<double>(reloads.taken));
    exposition.Add(MetricId::kCredentialReloads, {reloads.files, "refused"},
                   static_cast<double>(reloads.refused));
  }
  for (const AccessFigures::FailedHandshakes& failed : figures.failed_handshakes) {
    exposition.Add(MetricId::kTlsHandshakeFailures, {failed.listener},
                   static_cast<double>(failed.count));
  }
  for (const AccessFigures::Connections& connections : figures.connections) {
    exposition.Add(MetricId::kHttpConnections, {connections.listener},
                   static_cast<double>(connections.open));
    exposition.Add(MetricId::kHttpRefusedConnections, {connections.listener},
                   static_cast<double>(connections.refused));
  }
  exposition.Add(MetricId::kHttpBufferedBytes, {},
                 static_cast<double>(figures.http_buffered_bytes));
  for (const AccessFigures::Limit& limit : figures.limits) {
    exposition.Add(MetricId::kLimit, {limit.name}, limit.value);
  }
  if (figures.certificate_not_after) {
    exposition.Add(MetricId::kTlsCertificateNotAfter, {}, *figures.certificate_not_after);
  }
}

void AddOperationsFigures(const OperationsFigures& figures, Exposition& exposition) {
  exposition.Add(MetricId::kComputingThreads, {}, static_cast<double>(figures.computing_threads));
  exposition.Add(MetricId::kLogDroppedLines, {}, static_cast<double>(figures.log_dropped_lines));
  exposition.Add(MetricId::kLogSuppressedLines, {},
                 static_cast<double>(figures.log_suppressed_lines));
  const auto add_spans = [&](const char* outcome, std::uint64_t count) {
    exposition.Add(MetricId::kTraceSpans, {outcome}, static_cast<double>(count));
  };
  add_spans("exported", figures.exported_spans);
  add_spans("dropped", figures.dropped_spans);
  add_spans("failed", figures.failed_spans);
}

void AddProcessFigures(const std::string& root, Exposition& exposition) {
  const CpuBudget budget = ReadCpuBudget(root);
  const int cpus =
      std::min(budget.affinity_cpus, budget.cpuset_cpus.value_or(budget.affinity_cpus));
  exposition.Add(
      MetricId::kCpuLimit, {},
      std::min(static_cast<double>(cpus), budget.quota_cpus.value_or(static_cast<double>(cpus))));
  const CpuThrottling throttling = ReadCpuThrottling(root).value_or(CpuThrottling{});
  exposition.Add(MetricId::kCpuPeriods, {}, static_cast<double>(throttling.periods));
  exposition.Add(MetricId::kCpuThrottledPeriods, {},
                 static_cast<double>(throttling.throttled_periods));
  exposition.Add(MetricId::kCpuThrottledSeconds, {},
                 static_cast<double>(throttling.throttled_time.count()) * 1e-9);
  if (const std::optional<std::uint64_t> limit = ReadMemoryLimit(root)) {
    exposition.Add(MetricId::kMemoryLimit, {}, static_cast<double>(*limit));
  }

  const ProcessFigures process = ReadProcessFigures(root);
  exposition.Add(MetricId::kProcessCpuSeconds, {}, process.cpu_seconds);
  exposition.Add(MetricId::kProcessResidentMemory, {}, static_cast<double>(process.resident_bytes));
  exposition.Add(MetricId::kProcessVirtualMemory, {}, static_cast<double>(process.virtual_bytes));
  exposition.Add(MetricId::kProcessOpenFds, {}, static_cast<double>(process.open_fds));
  exposition.Add(MetricId::kProcessMaxFds, {}, static_cast<double>(process.max_fds));
  exposition.Add(MetricId::kProcessThreads, {}, static_cast<double>(process.num_threads));
  exposition.Add(MetricId::kProcessStartTime, {}, process.start_unix_seconds);
}

}  // namespace

const char* LoadStepName(LoadStep step) {
  switch (step) {
    case LoadStep::kFind:
      return "find";
    case LoadStep::kRead:
      return "read";
    case LoadStep::kCompile:
      return "compile";
    case LoadStep::kSelfTest:
      return "self_test";
    case LoadStep::kWarmUp:
      return "warm_up";
  }
  return "unknown";
}

struct alignas(128) Metrics::UnroutedBlock {
  std::array<std::atomic<std::uint64_t>, kNumCodes> by_code{};
};

Metrics::Metrics(Options options)
    : options_(std::move(options)),
      unrouted_(std::make_unique<UnroutedBlock[]>(std::max<std::size_t>(1, options_.num_workers))) {
}

Metrics::~Metrics() = default;

std::shared_ptr<ModelMetrics> Metrics::AddModel(ModelMetrics::Labels labels,
                                                LoadedModelFigures figures) {
  MutexLock lock(mutex_);
  std::erase_if(models_, [](const Model& model) { return model.metrics.expired(); });
  for (Model& model : models_) {
    std::shared_ptr<ModelMetrics> held = model.metrics.lock();
    if (!held || held->labels() != labels) continue;
    model.figures = std::move(figures);
    return held;
  }
  auto metrics = std::make_shared<ModelMetrics>(std::move(labels), options_.num_workers);
  models_.push_back({metrics, std::move(figures)});
  return metrics;
}

void Metrics::RecordLoadFailure(const std::string& model, const std::string& version,
                                LoadStep step) {
  MutexLock lock(mutex_);
  ++load_failures_[static_cast<std::size_t>(step)];
  const bool is_known = std::any_of(refused_.begin(), refused_.end(), [&](const auto& refused) {
    return refused.model == model && refused.version == version;
  });
  if (!is_known) refused_.push_back({model, version});
}

void Metrics::ForgetLoadFailure(const std::string& model, const std::string& version) {
  MutexLock lock(mutex_);
  std::erase_if(refused_, [&](const RefusedVersion& refused) {
    return refused.model == model && refused.version == version;
  });
}

void Metrics::RecordUnroutedFailure(std::size_t worker, absl::StatusCode code) {
  const auto index = static_cast<std::size_t>(code);
  auto& count =
      unrouted_[worker]
          .by_code[index < kNumCodes ? index
                                     : static_cast<std::size_t>(absl::StatusCode::kUnknown)];
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Metrics::SetSources(Sources sources) {
  MutexLock lock(mutex_);
  sources_ = std::move(sources);
}

void Metrics::SetAccessSource(std::function<AccessFigures()> source) {
  MutexLock lock(mutex_);
  access_ = std::move(source);
}

void Metrics::SetTuningFigures(const TuningFigures& figures) {
  MutexLock lock(mutex_);
  tuning_ = figures;
}

std::string Metrics::Scrape() const {
  Exposition exposition;
  exposition.Add(MetricId::kBuildInfo, {options_.server_version}, 1);
  exposition.Add(MetricId::kWorkers, {}, static_cast<double>(options_.num_workers));
  {
    std::array<std::uint64_t, kNumCodes> unrouted{};
    for (std::size_t worker = 0; worker < options_.num_workers; ++worker) {
      for (std::size_t code = 0; code < kNumCodes; ++code) {
        unrouted[code] += unrouted_[worker].by_code[code].load(std::memory_order_relaxed);
      }
    }
    AddFailures({}, unrouted, exposition);
  }
  {
    MutexLock lock(mutex_);
    const bool is_ready = sources_.is_ready && sources_.is_ready();
    exposition.Add(MetricId::kReady, {}, is_ready ? 1 : 0);
    exposition.Add(
        MetricId::kRequestsInFlight, {},
        sources_.requests_in_flight ? static_cast<double>(sources_.requests_in_flight()) : 0);
    std::size_t num_loaded = 0;
    for (const Model& model : models_) {
      const std::shared_ptr<const ModelMetrics> metrics = model.metrics.lock();
      if (!metrics) continue;
      AddModelFigures(*metrics, model.figures, exposition);
      ++num_loaded;
    }
    exposition.Add(MetricId::kModelsLoaded, {}, static_cast<double>(num_loaded));
    for (const RefusedVersion& refused : refused_) {
      exposition.Add(MetricId::kModelReady, {refused.model, refused.version, ""}, 0);
    }
    for (std::size_t step = 0; step < kNumLoadSteps; ++step) {
      exposition.Add(MetricId::kModelLoadFailures, {LoadStepName(static_cast<LoadStep>(step))},
                     static_cast<double>(load_failures_[step]));
    }
    AddTuningFigures(tuning_, exposition);
    if (access_) AddAccessFigures(access_(), exposition);
    AddOperationsFigures(sources_.operations ? sources_.operations() : OperationsFigures(),
                         exposition);
  }
  AddProcessFigures(options_.root, exposition);
  return exposition.Serialize();
}

}  // namespace octet
