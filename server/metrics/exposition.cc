// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/exposition.h"

#include <array>
#include <cassert>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/str_split.h"
#include "prometheus/client_metric.h"
#include "prometheus/metric_family.h"
#include "prometheus/metric_type.h"
#include "prometheus/text_serializer.h"

namespace octet {
namespace {

constexpr int kFirstBoundOctave = 12;  // 4.096 us
constexpr int kLastBoundOctave = 35;   // 34.4 s
static_assert(kFirstBoundOctave >= LatencyCounts::kFirstOctave &&
              kLastBoundOctave <= LatencyCounts::kLastOctave);

constexpr double kInfinity = std::numeric_limits<double>::infinity();

prometheus::MetricType ToPrometheus(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

}  // namespace

struct Exposition::Families {
  std::array<prometheus::MetricFamily, kNumMetrics> list;

  prometheus::ClientMetric& NewSample(MetricId id, LabelValues values) {
    prometheus::ClientMetric& sample = list[static_cast<std::size_t>(id)].metric.emplace_back();
    std::size_t next = 0;
    for (absl::string_view name : absl::StrSplit(Describe(id).labels, ", ", absl::SkipEmpty())) {
      assert(next < values.size());
      sample.label.push_back({std::string(name), std::move(values[next++])});
    }
    assert(next == values.size());
    return sample;
  }
};

Exposition::Exposition() : families_(std::make_unique<Families>()) {
  for (const MetricDescription& metric : AllMetrics()) {
    prometheus::MetricFamily& family = families_->list[static_cast<std::size_t>(metric.id)];
    family.name = metric.name;
    family.help = metric.help;
    family.type = ToPrometheus(metric.type);
  }
}

Exposition::~Exposition() = default;

void Exposition::Add(MetricId id, LabelValues labels, double value) {
  prometheus::ClientMetric& sample = families_->NewSample(id, std::move(labels));
  (Describe(id).type == MetricType::kCounter ? sample.counter.value : sample.gauge.value) = value;
}

void Exposition::AddDurations(MetricId id, LabelValues labels, const LatencyCounts& counts) {
  auto& histogram = families_->NewSample(id, std::move(labels)).histogram;
  histogram.sample_count = counts.count;
  histogram.sample_sum = static_cast<double>(counts.sum_nanoseconds) / 1e9;
  std::uint64_t cumulative = 0;
  std::size_t index = 0;
  for (int octave = kFirstBoundOctave; octave <= kLastBoundOctave; ++octave) {
    const std::int64_t bound = std::int64_t{1} << octave;
    while (index < LatencyCounts::kNumBuckets && LatencyCounts::BucketLimit(index) <= bound) {
      cumulative += counts.buckets[index++];
    }
    histogram.bucket.push_back({cumulative, static_cast<double>(bound) / 1e9});
  }
  histogram.bucket.push_back({counts.count, kInfinity});
}

void Exposition::AddBatchRows(MetricId id, LabelValues labels,
                              std::span<const BatchSizeStatistics> batches, double total_rows) {
  auto& histogram = families_->NewSample(id, std::move(labels)).histogram;
  histogram.sample_sum = total_rows;
  std::uint64_t cumulative = 0;
  std::size_t index = 0;
  for (std::int64_t bound = 1; bound <= 128; bound *= 2) {
    while (index < batches.size() && batches[index].rows <= bound) {
      cumulative += batches[index++].run.count;
    }
    histogram.bucket.push_back({cumulative, static_cast<double>(bound)});
  }
  while (index < batches.size()) cumulative += batches[index++].run.count;
  histogram.sample_count = cumulative;
  histogram.bucket.push_back({cumulative, kInfinity});
}

void Exposition::AddFullness(MetricId id, LabelValues labels, const ModelStatistics& statistics) {
  auto& histogram = families_->NewSample(id, std::move(labels)).histogram;
  histogram.sample_sum = statistics.sum_of_fullness;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < kFullnessSteps; ++i) {
    cumulative += statistics.batches_by_fullness[i];
    histogram.bucket.push_back(
        {cumulative, static_cast<double>(i + 1) / static_cast<double>(kFullnessSteps)});
  }
  histogram.sample_count = cumulative;
  histogram.bucket.push_back({cumulative, kInfinity});
}

std::string Exposition::Serialize() const {
  std::vector<prometheus::MetricFamily> families;
  for (const prometheus::MetricFamily& family : families_->list) {
    if (!family.metric.empty()) families.push_back(family);
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace octet
