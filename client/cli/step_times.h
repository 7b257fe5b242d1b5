// SPDX-License-Identifier: Apache-2.0
// How long models take, as a whole and step by step.

#pragma once

#include <chrono>
#include <memory>
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
  std::string kernel = {};
};

struct ModelTimes {
  double median_us = 0;  // of a whole run, in an arena, as a server runs it
  std::vector<StepTime> steps;
};

// Runs each of `executables` on `inputs`, again and again, in the calling thread: whole for
// `duration`, and for as long step by step. The models take turns, so that a slow moment hits them
// all. Step by step each value has memory of its own, so that the sum can be a little above a whole
// run; a step that a whole run leaves out, because its tensors lie in place there, takes 0.
//
// Returns the errors of Session::Run and of StepRunner::Create.
absl::StatusOr<std::vector<ModelTimes>> MeasureModels(
    const std::vector<std::shared_ptr<const Executable>>& executables,
    const std::vector<Tensor>& inputs, std::chrono::milliseconds duration);

// The middle of `times`, of an even number of them the larger of the middle two; 0 without any.
double Median(std::vector<double> times);

}  // namespace octet::cli
