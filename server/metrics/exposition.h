// SPDX-License-Identifier: Apache-2.0
// Collects the samples of one scrape and writes them in Prometheus's text format.

#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "server/metrics/latency_histogram.h"
#include "server/metrics/metric_list.h"
#include "server/metrics/model_metrics.h"

namespace octet {

// Thread safety: one thread at a time.
class Exposition {
 public:
  // Label values, in the order of the metric's MetricDescription::labels.
  using LabelValues = std::vector<std::string>;

  Exposition();
  ~Exposition();
  Exposition(const Exposition&) = delete;
  Exposition& operator=(const Exposition&) = delete;

  // A counter or gauge. Precondition: as many label values as the metric has labels.
  void Add(MetricId id, LabelValues labels, double value);
  // A histogram of seconds: a bucket at each power of two of nanoseconds from 4 us to 34 s, which
  // are limits of LatencyCounts' own buckets and so exact.
  void AddDurations(MetricId id, LabelValues labels, const LatencyCounts& counts);
  // A histogram of rows a batch: buckets 1, 2, 4 to 128.
  void AddBatchRows(MetricId id, LabelValues labels, std::span<const BatchSizeStatistics> batches,
                    double total_rows);
  // A histogram of how full batches are, 0 to 1: a bucket for each of kFullnessSteps.
  void AddFullness(MetricId id, LabelValues labels, const ModelStatistics& statistics);

  // Families in the order of AllMetrics(); one without samples is left out.
  [[nodiscard]] std::string Serialize() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace octet
