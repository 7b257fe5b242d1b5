// SPDX-License-Identifier: Apache-2.0
// A loaded version of a model; holding its handle keeps it loaded.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/runtime/executable.h"
#include "server/metrics/metrics.h"

namespace octet {

// Ownership: shared by the repository and everybody who still serves a request with it.
// Thread safety: immutable, but for `metrics`, which has rules of its own.
struct ModelVersion {
  std::string name;
  std::int64_t version = 0;
  std::string version_string;  // "1": as it goes over the wire
  std::string path;            // of the bundle
  std::string precision;       // of the bundle: "fp32", "int8-dynamic", ...
  std::string kernel_set;      // what it was compiled for: "avx2", ...
  std::string digest;          // identifies the bundle
  std::vector<std::string> class_labels;
  std::shared_ptr<const Executable> executable;  // its inputs() and outputs() are the signature
  std::int64_t paying_rows = 0;  // as was known when it was loaded (PayingRows); 0: not measured
  std::vector<EvaluationFigure> evaluations;  // recorded for just this bundle
  std::chrono::nanoseconds load_time{0};
  std::shared_ptr<ModelMetrics> metrics;
};

using ModelHandle = std::shared_ptr<const ModelVersion>;

}  // namespace octet
