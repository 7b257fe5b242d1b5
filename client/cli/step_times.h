// SPDX-License-Identifier: Apache-2.0
// How long each step of a model takes.

#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/runtime/executable.h"
#include "models/tensor/tensor.h"

namespace octet::cli {

struct StepTime {
  std::string node;
  std::string op;
  double median_us = 0;
};

// Runs the steps of `executable` in their order on `inputs`, again and again for `duration`, at
// least three times, in the calling thread. Each value has memory of its own, so that the sum can
// be a little above the time of a run in an arena.
//
// Returns the errors of StepRunner::Create.
absl::StatusOr<std::vector<StepTime>> MeasureSteps(const Executable& executable,
                                                   const std::vector<Tensor>& inputs,
                                                   std::chrono::milliseconds duration);

// The middle of `times`, of an even number of them the larger of the middle two; 0 without any.
double Median(std::vector<double> times);

}  // namespace octet::cli
