// SPDX-License-Identifier: Apache-2.0
// What versions have answered, and how fast, in the protocol's terms.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/repository/model_repository.h"

namespace octet {

// How many, and their time together.
struct CountedTime {
  std::uint64_t count = 0;
  std::uint64_t nanoseconds = 0;
};

struct BatchStatistics {
  std::uint64_t batch_size = 0;  // rows
  CountedTime compute_input;
  CountedTime compute_infer;
  CountedTime compute_output;
};

// Of one version, since it was loaded.
struct InferenceStatistics {
  std::string name;
  std::string version;
  std::uint64_t last_inference = 0;   // milliseconds since 1970; 0: none
  std::uint64_t inference_count = 0;  // rows
  std::uint64_t execution_count = 0;  // batches
  CountedTime success;
  CountedTime fail;
  CountedTime queue;
  CountedTime compute_input;
  CountedTime compute_infer;
  CountedTime compute_output;
  std::vector<BatchStatistics> batches;
};

// Of the ready versions: of all models, of those of `name`, or of one `version` of it.
// Returns the errors of ModelRepository::Find.
absl::StatusOr<std::vector<InferenceStatistics>> StatisticsOf(const ModelRepository& repository,
                                                              absl::string_view name,
                                                              absl::string_view version);

}  // namespace octet
