// SPDX-License-Identifier: Apache-2.0
// Every metric there is: the only place that names one. docs/metrics.md has a row for each.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace octet {

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };

// In the order of AllMetrics().
enum class MetricId : std::uint8_t {
  kReady,
  kBuildInfo,
  kRequestsInFlight,
  kWorkers,
  kModelsLoaded,
  kModelReady,
  kModelInfo,
  kModelLoadSeconds,
  kModelLoadFailures,
  kModelAccuracy,
  kModelAccuracySamples,
  kRequestDuration,
  kRequestStageDuration,
  kRequestFailures,
  kRows,
  kBatchRows,
  kBatchFullness,
  kBatchLimitRows,
  kBatches,
  kSplitBatches,
  kHelpedParts,
  kTuningPendingLayers,
  kTuningMeasuredLayers,
  kTuningSeconds,
  kTuningRecompiledVersions,
  kAccessRefusals,
  kCredentialReloads,
  kTlsCertificateNotAfter,
  kTlsHandshakeFailures,
  kHttpConnections,
  kHttpRefusedConnections,
  kHttpBufferedBytes,
  kLimit,
  kComputingThreads,
  kLogDroppedLines,
  kLogSuppressedLines,
  kTraceSpans,
  kCpuLimit,
  kCpuPeriods,
  kCpuThrottledPeriods,
  kCpuThrottledSeconds,
  kMemoryLimit,
  kProcessCpuSeconds,
  kProcessResidentMemory,
  kProcessVirtualMemory,
  kProcessOpenFds,
  kProcessMaxFds,
  kProcessThreads,
  kProcessStartTime,
};
inline constexpr std::size_t kNumMetrics =
    static_cast<std::size_t>(MetricId::kProcessStartTime) + 1;

// One metric family as it is exposed.
struct MetricDescription {
  MetricId id;
  const char* name;  // ends in its unit; a counter's in _total
  MetricType type;
  const char* labels;  // "model, version, precision", or empty
  const char* help;
};

std::span<const MetricDescription, kNumMetrics> AllMetrics();

const MetricDescription& Describe(MetricId id);

// "counter", "gauge", "histogram".
const char* MetricTypeName(MetricType type);

}  // namespace octet
