// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/batching_policy.h"

#include <algorithm>

namespace octet {
namespace {

bool RowsComeFirst(const std::vector<TensorSignature>& tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const TensorSignature& tensor) {
    const Shape& shape = tensor.type.shape;
    return !shape.empty() && shape[0] == Dim(kRows) &&
           std::none_of(shape.begin() + 1, shape.end(),
                        [](const Dim& dim) { return !dim.is_constant() && dim.symbol() == kRows; });
  });
}

}  // namespace

bool TakesBatches(const Executable& executable) {
  return RowsComeFirst(executable.inputs()) && RowsComeFirst(executable.outputs());
}

bool FitsBatch(const BatchingPolicy& policy, const InferenceRequest& first, std::int64_t rows,
               const InferenceRequest& request) {
  if (request.executable != first.executable) return false;
  const std::int64_t most = std::min(policy.max_rows, first.executable->max_rows());
  if (rows + request.rows > most) return false;
  for (std::size_t i = 0; i < first.bound_inputs.size(); ++i) {
    const auto& a = first.bound_inputs[i].dims;
    const auto& b = request.bound_inputs[i].dims;
    if (!std::equal(a.begin() + 1, a.end(), b.begin() + 1, b.end())) return false;
  }
  return true;
}

bool WakesAnother(const BatchingPolicy& policy, const HandOverCase& now) {
  if (now.idle_workers == 0) return false;
  if (now.work_is_waiting) return true;
  if (now.polled) return false;
  return now.expected == std::chrono::nanoseconds::zero() || now.expected > policy.hand_over_above;
}

}  // namespace octet
