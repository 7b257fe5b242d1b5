// SPDX-License-Identifier: Apache-2.0
#include "client/cli/step_times.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "client/cli/input_files.h"
#include "client/cli/repeated_run.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/runtime/step_runner.h"

namespace octet::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kNumTurns = 5;

double MicrosecondsBetween(SteadyClock::time_point start, SteadyClock::time_point end) {
  return std::chrono::duration<double, std::micro>(end - start).count();
}

// One model being measured.
class Measurement {
 public:
  static absl::StatusOr<std::unique_ptr<Measurement>> Create(
      std::shared_ptr<const Executable> executable, const std::vector<Tensor>& inputs) {
    std::unique_ptr<Measurement> measurement(new Measurement());
    ASSIGN_OR_RETURN(measurement->run_, RepeatedRun::Create(executable, inputs));
    ASSIGN_OR_RETURN(measurement->runner_, StepRunner::Create(*executable, inputs));
    measurement->steps_us_.resize(measurement->runner_->num_steps());
    for (const StepDescription& step : executable->steps()) {
      measurement->is_in_place_.push_back(IsInPlace(step.in_place, NumRows(inputs)));
    }
    measurement->executable_ = std::move(executable);
    return measurement;
  }

  // Runs the model for `duration`, once at least, after a run that warms the caches.
  void RunWhole(std::chrono::nanoseconds duration) {
    run_->Run();
    const SteadyClock::time_point stop_at = SteadyClock::now() + duration;
    SteadyClock::time_point start = SteadyClock::now();
    do {
      run_->Run();
      const SteadyClock::time_point end = SteadyClock::now();
      whole_us_.push_back(MicrosecondsBetween(start, end));
      start = end;
    } while (start < stop_at);
  }

  // The same, step by step.
  void RunSteps(std::chrono::nanoseconds duration) {
    for (std::size_t i = 0; i < runner_->num_steps(); ++i) runner_->Run(i);
    const SteadyClock::time_point stop_at = SteadyClock::now() + duration;
    do {
      SteadyClock::time_point start = SteadyClock::now();
      for (std::size_t i = 0; i < runner_->num_steps(); ++i) {
        runner_->Run(i);
        const SteadyClock::time_point end = SteadyClock::now();
        if (!is_in_place_[i]) steps_us_[i].push_back(MicrosecondsBetween(start, end));
        start = end;
      }
    } while (SteadyClock::now() < stop_at);
  }

  [[nodiscard]] ModelTimes Result() const {
    ModelTimes times{.median_us = Median(whole_us_), .steps = {}};
    for (const StepDescription& step : executable_->steps()) {
      times.steps.push_back({.node = step.node,
                             .op = step.op,
                             .median_us = Median(steps_us_[times.steps.size()]),
                             .kernel = step.kernel});
    }
    return times;
  }

 private:
  Measurement() = default;

  std::shared_ptr<const Executable> executable_;
  std::unique_ptr<RepeatedRun> run_;
  std::unique_ptr<StepRunner> runner_;
  std::vector<double> whole_us_;
  std::vector<std::vector<double>> steps_us_;
  std::vector<bool> is_in_place_;  // of each step: whether a whole run leaves it out
};

}  // namespace

absl::StatusOr<std::vector<ModelTimes>> MeasureModels(
    const std::vector<std::shared_ptr<const Executable>>& executables,
    const std::vector<Tensor>& inputs, std::chrono::milliseconds duration) {
  kernels::PrepareThread();
  std::vector<std::unique_ptr<Measurement>> measurements;
  for (const auto& executable : executables) {
    ASSIGN_OR_RETURN(auto measurement, Measurement::Create(executable, inputs));
    measurements.push_back(std::move(measurement));
  }
  const std::chrono::nanoseconds turn = std::chrono::nanoseconds(duration) / kNumTurns;
  for (int i = 0; i < kNumTurns; ++i) {
    for (const auto& measurement : measurements) {
      measurement->RunWhole(turn);
      measurement->RunSteps(turn);
    }
  }
  std::vector<ModelTimes> times;
  for (const auto& measurement : measurements) times.push_back(measurement->Result());
  return times;
}

double Median(std::vector<double> times) {
  if (times.empty()) return 0;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace octet::cli
