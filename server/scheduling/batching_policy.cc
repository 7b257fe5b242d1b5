// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/batching_policy.h"

#include <algorithm>
#include <cmath>

#include "models/runtime/symbol_binding.h"

namespace octet {
namespace {

// What one core reads from beyond its own caches, at the least.
constexpr double kWeightBytesPerSecond = 10e9;
// A part takes at least so many times as long as reading the weights.
constexpr double kLeastPerWeightsRead = 2;

}  // namespace

std::int64_t MaxBatchRows(const BatchingPolicy& policy, const Executable& executable,
                          std::int64_t limit) {
  if (!executable.takes_batches()) return 1;
  return std::min(limit > 0 ? limit : policy.max_rows, executable.max_rows());
}

BatchSize SizeOf(const InferenceRequest& request) {
  BatchSize size = {.rows = request.rows};
  if (request.executable->takes_lengths()) {
    size.positions = CountPositions(*request.executable, request.bound_inputs);
  }
  return size;
}

void AddTo(BatchSize& batch, const InferenceRequest& request) {
  const BatchSize size = SizeOf(request);
  batch.rows += size.rows;
  batch.positions += size.positions;
}

BatchSize MaxBatchSize(const BatchingPolicy& policy, const InferenceRequest& first) {
  const std::int64_t most = first.executable->max_rows();
  BatchSize size;
  size.rows = std::min(first.max_batch_rows > 0 ? first.max_batch_rows : policy.max_rows, most);
  if (!first.executable->takes_lengths()) return size;
  size.positions = size.rows * TypicalPositions(*first.executable);
  const bool is_set = first.scheduling != nullptr && first.scheduling->max_batch_rows > 0;
  if (!is_set) size.rows = std::min(policy.max_rows, most);
  return size;
}

std::int64_t MaxRowsLike(const BatchingPolicy& policy, const InferenceRequest& first) {
  const BatchSize most = MaxBatchSize(policy, first);
  if (!first.executable->takes_lengths()) return most.rows;
  const std::int64_t row_positions =
      std::max<std::int64_t>(1, SizeOf(first).positions / std::max<std::int64_t>(1, first.rows));
  return std::clamp<std::int64_t>(most.positions / row_positions, 1, most.rows);
}

BatchChoice ChooseBatch(const BatchCase& now) {
  std::size_t preferred = 0;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < now.rows.size(); ++i) {
    total += now.rows[i];
    if (std::ranges::binary_search(now.preferred_rows, total)) preferred = i + 1;
  }
  if (preferred > 0) return {preferred, DispatchReason::kPreferred};
  if (now.limited_by == DispatchReason::kFull || !now.may_wait) {
    return {now.rows.size(), now.limited_by};
  }
  if (!now.is_ripe) return {};
  return {now.rows.size(), DispatchReason::kDelay};
}

BatchFit FitOf(const BatchingPolicy& policy, const InferenceRequest& first, const BatchSize& size,
               const InferenceRequest& request) {
  if (request.executable != first.executable) return BatchFit::kOtherExecutable;
  if (!first.executable->takes_lengths() && !HaveSameShape(first, request)) {
    return BatchFit::kOtherShape;
  }
  const BatchSize most = MaxBatchSize(policy, first);
  BatchSize joined = size;
  AddTo(joined, request);
  const bool has_room = joined.rows <= most.rows && joined.positions <= most.positions;
  return has_room ? BatchFit::kFits : BatchFit::kNoRoom;
}

std::int64_t PartRows(const BatchingPolicy& policy, const SplitCase& now) {
  if (now.expected == std::chrono::nanoseconds::zero() || now.expected < policy.split_above) {
    return now.rows;
  }
  const double row_nanoseconds =
      static_cast<double>(now.expected.count()) / static_cast<double>(now.rows);
  // The most parts that are each expected to take so long.
  const auto parts_of = [&](double nanoseconds) {
    const double rows = std::ceil(nanoseconds / row_nanoseconds);
    if (rows > static_cast<double>(now.rows)) return std::int64_t{1};
    return now.rows / std::max<std::int64_t>(1, static_cast<std::int64_t>(rows));
  };
  std::int64_t most_rows = now.max_rows;
  if (now.paying_rows > 0) {
    // The most rows of parts that are no longer.
    const double short_rows = static_cast<double>(policy.max_part.count()) / row_nanoseconds;
    most_rows = static_cast<std::int64_t>(
        std::clamp(short_rows, static_cast<double>(std::min(now.paying_rows, now.max_rows)),
                   static_cast<double>(now.max_rows)));
  }
  std::int64_t parts = (now.rows + most_rows - 1) / most_rows;
  if (now.idle_workers > 0) {
    const double weights_nanoseconds =
        static_cast<double>(now.weight_bytes) / kWeightBytesPerSecond * 1e9;
    const auto workers = static_cast<std::int64_t>(now.idle_workers) + 1;
    parts = std::max(parts, std::min(policy.parts_per_worker * workers,
                                     parts_of(kLeastPerWeightsRead * weights_nanoseconds)));
  }
  parts = std::min(parts, parts_of(static_cast<double>(policy.min_part.count())));
  return (now.rows + parts - 1) / parts;
}

bool WakesAnother(const BatchingPolicy& policy, const HandOverCase& now) {
  if (now.idle_workers == 0) return false;
  if (now.work_is_waiting) return true;
  if (now.polled) return false;
  return now.expected == std::chrono::nanoseconds::zero() || now.expected > policy.hand_over_above;
}

}  // namespace octet
