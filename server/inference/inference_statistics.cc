// SPDX-License-Identifier: Apache-2.0

#include "server/inference/inference_statistics.h"

#include <algorithm>

#include "models/base/status_macros.h"
#include "server/metrics/model_metrics.h"

namespace octet {
namespace {

CountedTime ToCountedTime(const DurationSum& sum) { return {sum.count, sum.nanoseconds}; }

std::uint64_t Nanoseconds(const LatencyCounts& counts) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(counts.sum_nanoseconds, 0));
}

InferenceStatistics StatisticsOf(const ModelVersion& model) {
  const ModelStatistics known = model.metrics->Statistics();
  const auto stage = [&known](Stage s) -> const LatencyCounts& {
    return known.stages[static_cast<std::size_t>(s)];
  };
  const auto time_of = [&stage](Stage s) {
    return CountedTime{stage(s).count, Nanoseconds(stage(s))};
  };
  InferenceStatistics statistics;
  statistics.name = model.name;
  statistics.version = model.version_string;
  statistics.last_inference =
      static_cast<std::uint64_t>(std::max<std::int64_t>(known.last_inference_unix_milliseconds, 0));
  statistics.inference_count = known.num_rows;
  statistics.execution_count = known.num_batches;
  statistics.success = ToCountedTime(known.success);
  statistics.fail = ToCountedTime(known.failure);
  statistics.queue = time_of(Stage::kQueue);
  statistics.compute_input = time_of(Stage::kParse);
  statistics.compute_infer = time_of(Stage::kCompute);
  statistics.compute_infer.nanoseconds += Nanoseconds(stage(Stage::kQuantize));
  statistics.compute_output = time_of(Stage::kRespond);
  for (const BatchSizeStatistics& batch : known.batches) {
    statistics.batches.push_back({static_cast<std::uint64_t>(batch.rows),
                                  ToCountedTime(batch.gather), ToCountedTime(batch.run),
                                  ToCountedTime(batch.scatter)});
  }
  return statistics;
}

}  // namespace

absl::StatusOr<std::vector<InferenceStatistics>> StatisticsOf(const ModelRepository& repository,
                                                              absl::string_view name,
                                                              absl::string_view version) {
  std::vector<InferenceStatistics> all;
  if (!name.empty()) {
    ASSIGN_OR_RETURN(const ModelHandle model, repository.Find(name, version));
    if (!version.empty()) {
      all.push_back(StatisticsOf(*model));
      return all;
    }
  }
  for (const ModelHandle& model : repository.ReadyVersions()) {
    if (name.empty() || model->name == name) all.push_back(StatisticsOf(*model));
  }
  return all;
}

}  // namespace octet
