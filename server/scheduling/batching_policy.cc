// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/batching_policy.h"

#include <algorithm>
#include <cmath>

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

std::int64_t MaxBatchRows(const BatchingPolicy& policy, const InferenceRequest& first) {
  return std::min(first.max_batch_rows > 0 ? first.max_batch_rows : policy.max_rows,
                  first.executable->max_rows());
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

BatchFit FitOf(const BatchingPolicy& policy, const InferenceRequest& first, std::int64_t rows,
               const InferenceRequest& request) {
  if (request.executable != first.executable) return BatchFit::kOtherExecutable;
  for (std::size_t i = 0; i < first.bound_inputs.size(); ++i) {
    const auto& a = first.bound_inputs[i].dims;
    const auto& b = request.bound_inputs[i].dims;
    if (!std::equal(a.begin() + 1, a.end(), b.begin() + 1, b.end())) return BatchFit::kOtherShape;
  }
  const bool has_room = rows + request.rows <= MaxBatchRows(policy, first);
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
