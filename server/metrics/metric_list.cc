// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/metric_list.h"

#include <array>

namespace octet {
namespace {

using enum MetricType;

constexpr const char* kOfVersion = "model, version, precision";

constexpr std::array<MetricDescription, kNumMetrics> kMetrics = {{
    {MetricId::kReady, "octet_ready", kGauge, "", "1 while the server takes requests, else 0"},
    {MetricId::kBuildInfo, "octet_build_info", kGauge, "version", "1; the label is the release"},
    {MetricId::kRequestsInFlight, "octet_requests_in_flight", kGauge, "",
     "Inference requests inside the server"},
    {MetricId::kWorkers, "octet_workers", kGauge, "",
     "Threads that serve requests: those that may compute at once, and one that polls"},
    {MetricId::kModelsLoaded, "octet_models_loaded", kGauge, "",
     "Versions that are ready to serve"},
    {MetricId::kModelReady, "octet_model_ready", kGauge, kOfVersion,
     "1 for a version that serves, 0 for one that could not be loaded (its precision is empty)"},
    {MetricId::kModelInfo, "octet_model_info", kGauge,
     "model, version, precision, kernel_set, digest",
     "1; the labels tell what the version was compiled for and which bundle it is"},
    {MetricId::kModelLoadSeconds, "octet_model_load_seconds", kGauge, kOfVersion,
     "Time from opening the bundle to the end of its warm-up"},
    {MetricId::kModelLoadFailures, "octet_model_load_failures_total", kCounter, "reason",
     "Bundles refused, by the step that refused them: find, read, compile, self_test, warm_up"},
    {MetricId::kModelAccuracy, "octet_model_accuracy_ratio", kGauge,
     "model, version, precision, dataset",
     "Share of right answers in the evaluation recorded beside the bundle, 0 to 1"},
    {MetricId::kModelAccuracySamples, "octet_model_accuracy_samples", kGauge,
     "model, version, precision, dataset", "Labelled samples of that evaluation"},
    {MetricId::kRequestDuration, "octet_request_duration_seconds", kHistogram, kOfVersion,
     "Time of an answered request, from its arrival to the hand-over of its answer"},
    {MetricId::kRequestStageDuration, "octet_request_stage_duration_seconds", kHistogram,
     "model, version, precision, stage",
     "The same by stage: queue, parse, quantize, compute, respond"},
    {MetricId::kRequestFailures, "octet_request_failures_total", kCounter,
     "model, version, precision, code",
     "Requests answered with an error; the model is empty where none was known yet"},
    {MetricId::kRows, "octet_rows_total", kCounter, kOfVersion, "Rows of answered requests"},
    {MetricId::kBatchRows, "octet_batch_rows", kHistogram, kOfVersion,
     "Rows of a batch, and how many batches were run"},
    {MetricId::kBatchFullness, "octet_batch_fullness_ratio", kHistogram, kOfVersion,
     "Rows of a batch as a share of the most that it might have had, 0 to 1"},
    {MetricId::kBatchLimitRows, "octet_batch_limit_rows", kGauge, kOfVersion,
     "The most rows of a batch of several requests: as many as pay on this CPU, once that is "
     "measured, or what the configuration says"},
    {MetricId::kBatches, "octet_batches_total", kCounter, "model, version, precision, reason",
     "Batches by why they began with no more rows: idle (a worker was free, no more waited), "
     "other_shape, full, alone (the model takes one request at a time), preferred (a size that the "
     "configuration prefers), delay (the configured queue delay was over)"},
    {MetricId::kSplitBatches, "octet_split_batches_total", kCounter, kOfVersion,
     "Batches whose rows several workers computed"},
    {MetricId::kHelpedParts, "octet_helped_parts_total", kCounter, kOfVersion,
     "Parts of those batches that a worker computed for the one that began the batch"},
    {MetricId::kTuningPendingLayers, "octet_tuning_pending_layers", kGauge, "",
     "Layers with several implementations that are still to be measured when the server is idle"},
    {MetricId::kTuningMeasuredLayers, "octet_tuning_measured_layers_total", kCounter, "",
     "Layers whose implementations this server has measured"},
    {MetricId::kTuningSeconds, "octet_tuning_seconds_total", kCounter, "",
     "Time for which it measured, what it gave up for a request included"},
    {MetricId::kTuningRecompiledVersions, "octet_tuning_recompiled_versions_total", kCounter, "",
     "Versions that were compiled anew and exchanged because of what was measured"},
    {MetricId::kAccessRefusals, "octet_access_refusals_total", kCounter, "listener, code",
     "Calls refused because of who made them, by listener (grpc, http, metrics) and code: "
     "UNAUTHENTICATED, PERMISSION_DENIED"},
    {MetricId::kCredentialReloads, "octet_credential_reloads_total", kCounter, "files, outcome",
     "Changed files that were read again: certificates or access; taken, or refused, which leaves "
     "what was taken before"},
    {MetricId::kTlsCertificateNotAfter, "octet_tls_certificate_not_after_seconds", kGauge, "",
     "When the certificate that TLS shows expires, in seconds since 1970; absent without TLS"},
    {MetricId::kTlsHandshakeFailures, "octet_tls_handshake_failures_total", kCounter, "listener",
     "Connections that ended without a TLS handshake, by listener (grpc, http, metrics)"},
    {MetricId::kHttpConnections, "octet_http_connections", kGauge, "listener",
     "Open connections, by listener (http, metrics)"},
    {MetricId::kHttpRefusedConnections, "octet_http_refused_connections_total", kCounter,
     "listener", "Connections refused because there were too many, by listener (http, metrics)"},
    {MetricId::kHttpBufferedBytes, "octet_http_buffered_bytes", kGauge, "",
     "Memory that bodies of HTTP hold which are coming in or wait"},
    {MetricId::kLimit, "octet_limit", kGauge, "limit",
     "Limits as they are set, by their name in the configuration file; times in seconds"},
    {MetricId::kComputingThreads, "octet_computing_threads", kGauge, "",
     "Threads that may compute at once, as CPUs and quota allow now"},
    {MetricId::kLogDroppedLines, "octet_log_dropped_lines_total", kCounter, "",
     "Lines of the log that were dropped because who reads it is too slow"},
    {MetricId::kLogSuppressedLines, "octet_log_suppressed_lines_total", kCounter, "",
     "Lines of the log that were left out because the same had been said too often"},
    {MetricId::kTraceSpans, "octet_trace_spans_total", kCounter, "outcome",
     "Spans by what became of them: exported, dropped (too many waited), failed (the collector did "
     "not take them)"},
    {MetricId::kCpuLimit, "octet_cpu_limit_cpus", kGauge, "",
     "CPUs that this process may use: the smaller of its CPUs and its quota"},
    {MetricId::kCpuPeriods, "octet_cpu_periods_total", kCounter, "",
     "Periods of the control group's CPU quota; 0 without a quota"},
    {MetricId::kCpuThrottledPeriods, "octet_cpu_throttled_periods_total", kCounter, "",
     "Periods in which the quota stopped the control group"},
    {MetricId::kCpuThrottledSeconds, "octet_cpu_throttled_seconds_total", kCounter, "",
     "Time for which the quota stopped the control group"},
    {MetricId::kMemoryLimit, "octet_memory_limit_bytes", kGauge, "",
     "Memory that the process's control group may have; absent without a limit"},
    {MetricId::kProcessCpuSeconds, "process_cpu_seconds_total", kCounter, "",
     "User and system CPU time"},
    {MetricId::kProcessResidentMemory, "process_resident_memory_bytes", kGauge, "",
     "Resident memory"},
    {MetricId::kProcessVirtualMemory, "process_virtual_memory_bytes", kGauge, "", "Virtual memory"},
    {MetricId::kProcessOpenFds, "process_open_fds", kGauge, "", "Open file descriptors"},
    {MetricId::kProcessMaxFds, "process_max_fds", kGauge, "", "The most file descriptors allowed"},
    {MetricId::kProcessThreads, "process_threads", kGauge, "", "Threads"},
    {MetricId::kProcessStartTime, "process_start_time_seconds", kGauge, "",
     "Start of the process, in seconds since 1970"},
}};

constexpr bool IsInOrder() {
  for (std::size_t i = 0; i < kMetrics.size(); ++i) {
    if (static_cast<std::size_t>(kMetrics[i].id) != i) return false;
  }
  return true;
}
static_assert(IsInOrder(), "kMetrics has a row for each MetricId, in its order");

}  // namespace

std::span<const MetricDescription, kNumMetrics> AllMetrics() { return kMetrics; }

const MetricDescription& Describe(MetricId id) { return kMetrics[static_cast<std::size_t>(id)]; }

const char* MetricTypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "unknown";
}

}  // namespace octet
