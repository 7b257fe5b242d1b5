// SPDX-License-Identifier: Apache-2.0
// How the time of a model divides among its steps, and among the kinds of them.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

#include "client/cli/step_times.h"

namespace octet::cli {

// All steps of one operator.
struct StepKindTime {
  std::string op;
  int num_steps = 0;
  double us = 0;       // of all of them
  double percent = 0;  // of all steps
};

struct StepProfile {
  std::string kernel_set = {};
  std::int64_t batch = 1;
  double median_us = 0;  // of a whole run
  double steps_us = 0;   // the sum of the steps, each run and timed by itself
  // Both sorted by time, the longest first.
  std::vector<StepKindTime> kinds = {};
  std::vector<StepTime> steps = {};
};

// Sums up and sorts `times`; kernel set and batch are left to the caller.
StepProfile MakeStepProfile(ModelTimes times);

nlohmann::ordered_json StepProfileJson(const StepProfile& profile);

// A line for the whole, a table of the kinds and a table of the steps.
std::string StepProfileText(const StepProfile& profile);

}  // namespace octet::cli
