// SPDX-License-Identifier: Apache-2.0

#include "server/repository/batch_limit.h"

#include "server/scheduling/batching_policy.h"

namespace octet {

void ApplyBatchLimit(const ModelVersion& version, std::int64_t paying_rows,
                     const ModelSettings* settings, Scheduler* scheduler) {
  if (scheduler != nullptr && paying_rows > 0) {
    scheduler->LimitBatches(*version.executable, paying_rows);
  }
  const std::int64_t configured = settings == nullptr ? 0 : settings->scheduling.max_batch_rows;
  version.metrics->SetBatchLimit(
      MaxBatchRows({}, *version.executable, configured > 0 ? configured : paying_rows));
}

}  // namespace octet
