// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/model_metrics.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

namespace octet {
namespace {

constexpr double kMillion = 1e6;

// A counter with one writer.
class Counter {
 public:
  void Add(std::uint64_t value) {
    value_.store(value_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

std::uint64_t Count(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
}

// The coarse clock costs a few nanoseconds and is right to 4 ms.
std::int64_t WallMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

struct BatchCounters {
  Counter count;
  Counter gather;
  Counter run;
  Counter scatter;
};

}  // namespace

const char* StageName(Stage stage) {
  switch (stage) {
    case Stage::kQueue:
      return "queue";
    case Stage::kParse:
      return "parse";
    case Stage::kQuantize:
      return "quantize";
    case Stage::kCompute:
      return "compute";
    case Stage::kRespond:
      return "respond";
  }
  return "unknown";
}

const char* DispatchReasonName(DispatchReason reason) {
  switch (reason) {
    case DispatchReason::kIdle:
      return "idle";
    case DispatchReason::kOtherShape:
      return "other_shape";
    case DispatchReason::kFull:
      return "full";
    case DispatchReason::kAlone:
      return "alone";
    case DispatchReason::kPreferred:
      return "preferred";
    case DispatchReason::kDelay:
      return "delay";
  }
  return "unknown";
}

// Two cache lines apart, so that no worker's stores touch a line (or its prefetched neighbour) that
// another writes.
struct alignas(128) ModelMetrics::Block {
  LatencyHistogram total;
  std::array<LatencyHistogram, kNumStages> stages;
  std::atomic<std::int64_t> last_inference_unix_milliseconds{0};
  Counter num_rows;
  Counter num_batch_rows;
  Counter num_split_batches;
  Counter num_helped_parts;
  std::array<Counter, kNumDispatchReasons> batches_by_reason;
  std::array<Counter, kFullnessSteps> batches_by_fullness;
  Counter fullness_millionths;
  Counter failure_nanoseconds;
  std::array<Counter, 17> failures_by_code;
  std::array<BatchCounters, kMaxBatchRows + 1> batches;
};

ModelMetrics::ModelMetrics(Labels labels, std::size_t num_workers)
    : labels_(std::move(labels)),
      num_workers_(std::max<std::size_t>(1, num_workers)),
      blocks_(std::make_unique<Block[]>(num_workers_)) {}

ModelMetrics::~ModelMetrics() = default;

void ModelMetrics::RecordSuccess(std::size_t worker, const RequestTimes& times) {
  Block& block = blocks_[worker];
  block.total.Record(times.total);
  const auto stage = [&block](Stage which) -> LatencyHistogram& {
    return block.stages[static_cast<std::size_t>(which)];
  };
  stage(Stage::kQueue).Record(times.queue);
  stage(Stage::kParse).Record(times.parse);
  stage(Stage::kQuantize).Record(times.quantize);
  stage(Stage::kCompute).Record(times.compute);
  stage(Stage::kRespond).Record(times.respond);
  block.num_rows.Add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, times.rows)));
  block.last_inference_unix_milliseconds.store(WallMilliseconds(), std::memory_order_relaxed);
}

void ModelMetrics::RecordFailure(std::size_t worker, absl::StatusCode code,
                                 std::chrono::nanoseconds total) {
  Block& block = blocks_[worker];
  const auto index = static_cast<std::size_t>(code);
  block
      .failures_by_code[index < block.failures_by_code.size()
                            ? index
                            : static_cast<std::size_t>(absl::StatusCode::kUnknown)]
      .Add(1);
  block.failure_nanoseconds.Add(Count(total));
}

void ModelMetrics::RecordBatch(std::size_t worker, const BatchTimes& times) {
  const std::int64_t rows = std::clamp<std::int64_t>(times.rows, 0, kMaxBatchRows);
  BatchCounters& batch = blocks_[worker].batches[static_cast<std::size_t>(rows)];
  batch.count.Add(1);
  blocks_[worker].batches_by_reason[static_cast<std::size_t>(times.reason)].Add(1);
  blocks_[worker].num_batch_rows.Add(
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, times.rows)));
  const double fullness =
      std::clamp(static_cast<double>(times.rows) /
                     static_cast<double>(std::max<std::int64_t>(1, times.max_rows)),
                 0.0, 1.0);
  const double steps = std::max(1.0, std::ceil(fullness * static_cast<double>(kFullnessSteps)));
  blocks_[worker].batches_by_fullness[static_cast<std::size_t>(steps) - 1].Add(1);
  blocks_[worker].fullness_millionths.Add(static_cast<std::uint64_t>(fullness * kMillion));
  if (times.helped_parts > 0) {
    blocks_[worker].num_split_batches.Add(1);
    blocks_[worker].num_helped_parts.Add(static_cast<std::uint64_t>(times.helped_parts));
  }
  batch.gather.Add(Count(times.gather));
  batch.run.Add(Count(times.run));
  batch.scatter.Add(Count(times.scatter));
}

ModelStatistics ModelMetrics::Statistics() const {
  ModelStatistics statistics;
  std::vector<BatchSizeStatistics> batches(kMaxBatchRows + 1);
  for (std::size_t worker = 0; worker < num_workers_; ++worker) {
    const Block& block = blocks_[worker];
    block.total.AddTo(statistics.total);
    for (std::size_t i = 0; i < kNumStages; ++i) block.stages[i].AddTo(statistics.stages[i]);
    statistics.last_inference_unix_milliseconds =
        std::max(statistics.last_inference_unix_milliseconds,
                 block.last_inference_unix_milliseconds.load(std::memory_order_relaxed));
    statistics.num_rows += block.num_rows.value();
    statistics.num_batch_rows += block.num_batch_rows.value();
    statistics.num_split_batches += block.num_split_batches.value();
    statistics.num_helped_parts += block.num_helped_parts.value();
    for (std::size_t i = 0; i < kNumDispatchReasons; ++i) {
      statistics.batches_by_reason[i] += block.batches_by_reason[i].value();
    }
    for (std::size_t i = 0; i < kFullnessSteps; ++i) {
      statistics.batches_by_fullness[i] += block.batches_by_fullness[i].value();
    }
    statistics.sum_of_fullness += static_cast<double>(block.fullness_millionths.value()) / kMillion;
    statistics.failure.nanoseconds += block.failure_nanoseconds.value();
    for (std::size_t i = 0; i < block.failures_by_code.size(); ++i) {
      statistics.failures_by_code[i] += block.failures_by_code[i].value();
      statistics.failure.count += block.failures_by_code[i].value();
    }
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const BatchCounters& from = block.batches[i];
      const std::uint64_t count = from.count.value();
      batches[i].rows = static_cast<std::int64_t>(i);
      batches[i].gather.count += count;
      batches[i].gather.nanoseconds += from.gather.value();
      batches[i].run.count += count;
      batches[i].run.nanoseconds += from.run.value();
      batches[i].scatter.count += count;
      batches[i].scatter.nanoseconds += from.scatter.value();
    }
  }
  statistics.batch_limit = batch_limit_.load(std::memory_order_relaxed);
  statistics.success = {statistics.total.count,
                        static_cast<std::uint64_t>(statistics.total.sum_nanoseconds)};
  for (const BatchSizeStatistics& batch : batches) {
    if (batch.run.count == 0) continue;
    statistics.num_batches += batch.run.count;
    statistics.batches.push_back(batch);
  }
  return statistics;
}

}  // namespace octet
