// SPDX-License-Identifier: Apache-2.0
// One bundle to a version that can serve: read, compile, self-test, warm up.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "models/graph/operator_registry.h"
#include "models/runtime/executable.h"
#include "server/metrics/metrics.h"
#include "server/repository/model_version.h"

namespace octet {

// What came of one load.
struct LoadOutcome {
  std::string name;
  std::string version;
  ModelHandle handle;                 // null if it failed
  absl::Status status;                // why, naming the bundle, what it got and what it wants
  LoadStep step = LoadStep::kWarmUp;  // the last step that was tried
  std::vector<std::string> warnings;  // of one that serves: what was passed over
};

// Of a failure, for people: the step, what it got and wants, and what to do.
std::string DescribeFailure(const LoadOutcome& outcome);

// Thread safety: immutable; any thread may call Load.
class BundleLoader {
 public:
  struct Options {
    CompileOptions compile = {};
    std::string kernel_set_name;  // of `kernels`, for people
  };
  // The references are borrowed for as long as the loader and what it loads live.
  BundleLoader(Options options, const OperatorRegistry& operators,
               const kernels::KernelSet& kernels, Metrics& metrics);

  // Loads the bundle at `path` as version `version` of `name`. A failure is counted in the metrics.
  // The self-test runs on the very kernels that will serve: the outputs must be the stored ones,
  // and each step of a quantized model computes what the reference kernels compute from the same
  // inputs. A bundle without a self-test is only warmed up.
  [[nodiscard]] LoadOutcome Load(const std::string& name, std::int64_t version,
                                 const std::string& path) const;

 private:
  absl::Status LoadInto(const std::string& path, ModelVersion& version, LoadOutcome& outcome) const;

  const Options options_;
  const OperatorRegistry& operators_;
  const kernels::KernelSet& kernels_;
  Metrics& metrics_;
};

}  // namespace octet
