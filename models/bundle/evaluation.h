// SPDX-License-Identifier: Apache-2.0
// Measured accuracy of a bundle, kept beside it and outside its checksums and identity:
// DIRECTORY/evaluation.json, or NAME.evaluation.json beside NAME.octet.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace octet {

struct Evaluation {
  std::string data_set;
  std::int64_t samples = 0;
  double top1_accuracy = 0.0;  // in [0, 1]
  std::string bundle_digest;   // of the bundle that was measured
};

// The evaluations recorded for the bundle at `bundle_path`; none if there is no such file.
// Returns DATA_LOSS for a file that is not as it should be.
absl::StatusOr<std::vector<Evaluation>> ReadEvaluations(const std::string& bundle_path);

// Adds `evaluation`, in place of an earlier one on the same data set.
absl::Status RecordEvaluation(const std::string& bundle_path, const Evaluation& evaluation);

}  // namespace octet
