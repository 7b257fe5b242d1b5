// SPDX-License-Identifier: Apache-2.0
// Measures a bundle in this process: the engine without a server.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

#include "client/cli/step_profile.h"
#include "models/runtime/attention_precision.h"

namespace octet::cli {

struct EngineBenchOptions {
  std::string bundle;
  std::string kernel_set = {};  // empty: the best
  std::string choices = {};     // a file of kernel choices; empty: fixed rules choose
  AttentionPrecision attention_precision = AttentionPrecision::kFloat32;
  std::vector<std::string> inputs = {};  // --input arguments; none: the self-test's rows
  std::int64_t batch = 1;
  int num_threads = 1;  // each runs batches of its own
  std::chrono::milliseconds duration{2000};
};

struct EngineResult {
  std::string kernel_set;
  std::int64_t batch = 1;
  int num_threads = 1;
  double best_us = 0;    // of one batch
  double median_us = 0;  // of one batch, over all threads
  double rows_per_second = 0;
};

// Each thread runs a batch at least once, however short the duration. Returns INVALID_ARGUMENT for
// a batch or a number of threads below 1, the errors of reading, compiling and running the bundle.
absl::StatusOr<EngineResult> BenchEngine(const EngineBenchOptions& options);

// How the time of a run divides among the bundle's steps; in the calling thread, whatever
// `num_threads` is. `duration` is that of whole runs, and that of runs step by step. The errors are
// those of BenchEngine.
absl::StatusOr<StepProfile> ProfileEngine(const EngineBenchOptions& options);

nlohmann::ordered_json EngineResultJson(const EngineResult& result);

}  // namespace octet::cli
