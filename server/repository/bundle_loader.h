// SPDX-License-Identifier: Apache-2.0
// One bundle to a version that can serve: read, compile, self-test, warm up.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/bundle/bundle.h"
#include "models/graph/operator_registry.h"
#include "models/runtime/cost_curve_cache.h"
#include "models/runtime/executable.h"
#include "models/runtime/kernel_choices.h"
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
  bool is_unchanged = false;          // OK without a handle: it is the bundle that serves already
};

// What Load is to load.
struct LoadOrder {
  std::string name;
  std::int64_t version = 0;
  std::string path;
  ModelHandle served = nullptr;           // as this version is served now, if it is
  std::function<bool()> stops = nullptr;  // asked between the steps, where given
  bool counts_failure = true;             // in the metrics
};

// Of a failure, for people: the step, what it got and wants, and what to do.
std::string DescribeFailure(const LoadOutcome& outcome);

// Thread safety: immutable; any thread may call Load.
class BundleLoader {
 public:
  struct Options {
    CompileOptions compile = {};
    std::string kernel_set_name;  // of `kernels`, for people
    // What is known of batches; borrowed, null: nothing.
    const CostCurveCache* costs = nullptr;
  };
  // The references are borrowed for as long as the loader and what it loads live.
  BundleLoader(Options options, const OperatorRegistry& operators,
               const kernels::KernelSet& kernels, Metrics& metrics);

  // Loads a bundle, whose files may be written to meanwhile and afterwards: it is read once, whole,
  // and loaded only if every file is what its manifest says. CANCELLED, if `order.stops` said so,
  // is no failure. One that is served already is not compiled again.
  // The self-test runs on the very kernels that will serve: the outputs must be the stored ones,
  // and each step of a quantized model computes what the reference kernels compute from the same
  // inputs. A bundle without a self-test is only warmed up.
  [[nodiscard]] LoadOutcome Load(const LoadOrder& order) const;

  // Reads the bundle of `version` once more. Returns the errors of ReadBundle, and
  // FAILED_PRECONDITION if it is another one by now.
  [[nodiscard]] static absl::StatusOr<Bundle> ReadAgain(const ModelVersion& version);

  // `version`, which this loader loaded, compiled anew from its `bundle` with `choices`; it counts
  // in the same metrics. Each of its steps computes the very bits that it computes now, from the
  // rows of the self-test: what was proved of one holds for the other. `stops` is asked between the
  // steps of it. Returns CANCELLED if it said so, the errors of compiling, and FAILED_PRECONDITION
  // naming the first element that differs.
  [[nodiscard]] absl::StatusOr<ModelHandle> Recompile(const ModelVersion& version,
                                                      const Bundle& bundle,
                                                      std::shared_ptr<const KernelChoices> choices,
                                                      absl::FunctionRef<bool()> stops) const;

  // What it compiles with, and for.
  [[nodiscard]] const CompileOptions& compile_options() const { return options_.compile; }
  [[nodiscard]] const OperatorRegistry& operators() const { return operators_; }

 private:
  absl::Status LoadInto(const LoadOrder& order, ModelVersion& version, LoadOutcome& outcome) const;

  const Options options_;
  const OperatorRegistry& operators_;
  const kernels::KernelSet& kernels_;
  Metrics& metrics_;
};

}  // namespace octet
