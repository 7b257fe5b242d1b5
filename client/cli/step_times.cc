// SPDX-License-Identifier: Apache-2.0
#include "client/cli/step_times.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/runtime/step_runner.h"

namespace octet::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kMinRounds = 3;

}  // namespace

absl::StatusOr<std::vector<StepTime>> MeasureSteps(const Executable& executable,
                                                   const std::vector<Tensor>& inputs,
                                                   std::chrono::milliseconds duration) {
  kernels::PrepareThread();
  ASSIGN_OR_RETURN(const auto runner, StepRunner::Create(executable, inputs));
  for (std::size_t i = 0; i < runner->num_steps(); ++i) runner->Run(i);
  std::vector<std::vector<double>> times_us(runner->num_steps());
  const SteadyClock::time_point stop_at = SteadyClock::now() + duration;
  for (int round = 0; round < kMinRounds || SteadyClock::now() < stop_at; ++round) {
    SteadyClock::time_point start = SteadyClock::now();
    for (std::size_t i = 0; i < runner->num_steps(); ++i) {
      runner->Run(i);
      const SteadyClock::time_point end = SteadyClock::now();
      times_us[i].push_back(std::chrono::duration<double, std::micro>(end - start).count());
      start = end;
    }
  }
  std::vector<StepTime> steps;
  for (const StepDescription& step : executable.steps()) {
    steps.push_back(
        {.node = step.node, .op = step.op, .median_us = Median(std::move(times_us[steps.size()]))});
  }
  return steps;
}

double Median(std::vector<double> times) {
  if (times.empty()) return 0;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace octet::cli
