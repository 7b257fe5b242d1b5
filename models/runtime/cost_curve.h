// SPDX-License-Identifier: Apache-2.0
// What batches of a model cost by their rows, and up to where larger ones pay.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "models/runtime/executable.h"

namespace octet {

struct CostPoint {
  std::int64_t rows = 1;
  std::chrono::nanoseconds time{0};  // of a batch of so many rows, on one thread
  friend bool operator==(const CostPoint&, const CostPoint&) = default;
};
// Ascending rows.
using CostCurve = std::vector<CostPoint>;

// A batch whose time a row is within this share of the best of all batches is as good as that one:
// who waits for a larger batch waits for less than what he gains.
inline constexpr double kCostTolerance = 0.1;

// What a batch costs a server beside its run: it is taken from the queue, gathered and counted.
inline constexpr std::chrono::nanoseconds kTimeBesideRun = std::chrono::microseconds(5);

// The rows of the smallest batch whose time a row, (time + kTimeBesideRun) / rows, is at most
// 1 + kCostTolerance times the least of the curve: where the weights are read for each batch, as in
// a large fully connected layer, that is many rows; where each row has as much to do with or
// without the others, as in a convolution, it is one. 1 for an empty curve.
std::int64_t PayingRows(std::span<const CostPoint> curve);

struct MeasureCurveOptions {
  // No new run begins after it.
  std::chrono::nanoseconds budget = std::chrono::milliseconds(500);
  // No batch is tried that is expected to take longer: nobody wants to wait for it.
  std::chrono::nanoseconds longest_batch = std::chrono::milliseconds(250);
  // Asked before each step: once it says so, nothing is measured.
  std::function<bool()> stops = [] { return false; };
  // A clock that never goes back, of any origin; tests bring their own.
  std::function<std::chrono::nanoseconds()> now = [] {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch());
  };
};

// Runs batches of 1, 2, 4 to Executable::max_rows() rows of made-up inputs, open dimensions taken
// to be typical ones, and takes the best time of each; larger ones are not tried once two doublings
// have gained nothing. In the calling thread, which has called kernels::PrepareThread.
// Returns CANCELLED if it was stopped, DEADLINE_EXCEEDED if the budget was over before one row was
// run, and the errors of Session. Precondition: the executable takes batches.
absl::StatusOr<CostCurve> MeasureCostCurve(const std::shared_ptr<const Executable>& executable,
                                           const MeasureCurveOptions& options = {});

}  // namespace octet
