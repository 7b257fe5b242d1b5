// SPDX-License-Identifier: Apache-2.0
// What one version of a model has done: latencies by stage, batches, failures.
//
// Each worker writes a block of its own with plain stores; a reader merges the blocks. Nothing here
// locks or allocates after construction.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "server/metrics/latency_histogram.h"

namespace octet {

// The parts of a request's time, in the order in which they pass.
enum class Stage : std::uint8_t {
  kQueue,     // from admission until its batch starts
  kParse,     // request bytes to checked tensors
  kQuantize,  // float input rows to integers, the whole batch
  kCompute,   // the rest of the model's steps, the whole batch
  kRespond,   // outputs to response bytes, handed to the transport
};
inline constexpr std::size_t kNumStages = 5;
// "queue", "parse", ...: the value of the metrics' label `stage`.
const char* StageName(Stage stage);

// The times of one answered request.
struct RequestTimes {
  std::chrono::nanoseconds queue{0};
  std::chrono::nanoseconds parse{0};
  std::chrono::nanoseconds quantize{0};
  std::chrono::nanoseconds compute{0};
  std::chrono::nanoseconds respond{0};
  std::chrono::nanoseconds total{0};  // from the request's arrival to the hand-over of its answer
  std::int64_t rows = 1;
  // Of its batch, for its spans alone.
  std::chrono::nanoseconds gather{0};
  std::int64_t batch_rows = 0;  // 0: it was in none
};

// Why a batch was begun when it was, with the rows that it has and not with more.
enum class DispatchReason : std::uint8_t {
  kIdle,        // a worker was free, and no more waited for the version
  kOtherShape,  // what else waited has other dimensions beyond rows
  kFull,        // what else waited has more rows than there was room for
  kAlone,       // the model takes one request at a time
  kPreferred,   // it is of a size that the model's operator prefers
  kDelay,       // its oldest request has waited for the model's queue delay
};
inline constexpr std::size_t kNumDispatchReasons = 6;
// "idle", "other_shape", ...: the value of the metrics' label `reason`.
const char* DispatchReasonName(DispatchReason reason);

// One run of the steps for a batch.
struct BatchTimes {
  std::int64_t rows = 1;
  std::int64_t max_rows = 1;  // that it might have had
  DispatchReason reason = DispatchReason::kIdle;
  std::chrono::nanoseconds gather{0};   // inputs to one contiguous batch
  std::chrono::nanoseconds run{0};      // quantize and compute
  std::chrono::nanoseconds scatter{0};  // outputs to their requests
  std::int64_t helped_parts = 0;        // that other workers ran for the one that began the batch
};

// How full a batch is is counted in so many steps of its largest size; one of more rows, which a
// single request may have, is full.
inline constexpr std::size_t kFullnessSteps = 8;

// Count and total time, as the protocol's StatisticDuration.
struct DurationSum {
  std::uint64_t count = 0;
  std::uint64_t nanoseconds = 0;
};

struct BatchSizeStatistics {
  std::int64_t rows = 0;  // the last entry holds all batches of ModelMetrics::kMaxBatchRows or more
  DurationSum gather;
  DurationSum run;
  DurationSum scatter;
};

// Everything that ModelStatistics and the pages show.
struct ModelStatistics {
  std::int64_t last_inference_unix_milliseconds = 0;  // 0: none yet
  std::uint64_t num_rows = 0;                         // of answered requests
  std::uint64_t num_batches = 0;
  std::uint64_t num_batch_rows = 0;     // of those batches
  std::uint64_t num_split_batches = 0;  // those with helped parts
  std::uint64_t num_helped_parts = 0;
  std::array<std::uint64_t, kNumDispatchReasons> batches_by_reason{};
  // [i]: batches of more than i, and at most i + 1, eighths of their largest size.
  std::array<std::uint64_t, kFullnessSteps> batches_by_fullness{};
  double sum_of_fullness = 0;    // of all batches, each at most 1
  std::int64_t batch_limit = 1;  // SetBatchLimit
  DurationSum success;
  DurationSum failure;
  LatencyCounts total;
  std::array<LatencyCounts, kNumStages> stages;
  std::array<std::uint64_t, 17> failures_by_code{};  // by absl::StatusCode
  std::vector<BatchSizeStatistics> batches;          // sizes that occurred, ascending
};

// Thread safety: calls for one worker come from that worker's thread; any thread may call
// Statistics.
class ModelMetrics {
 public:
  static constexpr std::int64_t kMaxBatchRows = 256;

  // The labels are those of the model's metrics; `num_workers` >= 1.
  struct Labels {
    std::string model;
    std::string version;
    std::string precision;
    friend bool operator==(const Labels&, const Labels&) = default;
  };
  ModelMetrics(Labels labels, std::size_t num_workers);
  ~ModelMetrics();
  ModelMetrics(const ModelMetrics&) = delete;
  ModelMetrics& operator=(const ModelMetrics&) = delete;

  // Precondition of all: worker < num_workers.
  void RecordSuccess(std::size_t worker, const RequestTimes& times);
  // A request that named this version and was answered with an error.
  void RecordFailure(std::size_t worker, absl::StatusCode code, std::chrono::nanoseconds total);
  void RecordBatch(std::size_t worker, const BatchTimes& times);

  // The most rows of a batch of several requests, at least 1. Any thread may call it.
  void SetBatchLimit(std::int64_t rows) { batch_limit_.store(rows, std::memory_order_relaxed); }

  [[nodiscard]] const Labels& labels() const { return labels_; }
  [[nodiscard]] ModelStatistics Statistics() const;

 private:
  struct Block;  // one worker's counters

  const Labels labels_;
  const std::size_t num_workers_;
  const std::unique_ptr<Block[]> blocks_;
  std::atomic<std::int64_t> batch_limit_ = 1;
};

}  // namespace octet
