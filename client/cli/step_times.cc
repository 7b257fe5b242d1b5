// SPDX-License-Identifier: Apache-2.0
#include "client/cli/step_times.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/runtime/session.h"
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
    measurement->executable_ = std::move(executable);
    RETURN_IF_ERROR(measurement->Prepare(inputs));
    return measurement;
  }

  // Runs the model for `duration`, once at least, after a run that warms the caches.
  void RunWhole(std::chrono::nanoseconds duration) {
    RunOnce();
    const SteadyClock::time_point stop_at = SteadyClock::now() + duration;
    SteadyClock::time_point start = SteadyClock::now();
    do {
      RunOnce();
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
        steps_us_[i].push_back(MicrosecondsBetween(start, end));
        start = end;
      }
    } while (SteadyClock::now() < stop_at);
  }

  [[nodiscard]] ModelTimes Result() const {
    ModelTimes times{.median_us = Median(whole_us_), .steps = {}};
    for (const StepDescription& step : executable_->steps()) {
      times.steps.push_back(
          {.node = step.node, .op = step.op, .median_us = Median(steps_us_[times.steps.size()])});
    }
    return times;
  }

 private:
  Measurement() = default;

  absl::Status Prepare(const std::vector<Tensor>& inputs) {
    for (const Tensor& input : inputs) input_views_.push_back(input.view());
    ASSIGN_OR_RETURN(session_, Session::Create(executable_, arena_));
    std::vector<Dims> dims;
    RETURN_IF_ERROR(session_->OutputDims(input_views_, dims));
    for (std::size_t i = 0; i < dims.size(); ++i) {
      outputs_.emplace_back(executable_->outputs()[i].type.data_type, dims[i]);
    }
    for (Tensor& output : outputs_) output_views_.push_back(output.mutable_view());
    RETURN_IF_ERROR(session_->Run(input_views_, output_views_));
    ASSIGN_OR_RETURN(runner_, StepRunner::Create(*executable_, inputs));
    steps_us_.resize(runner_->num_steps());
    return absl::OkStatus();
  }

  // Prepare has run the same inputs, so that this cannot fail.
  void RunOnce() { session_->Run(input_views_, output_views_).IgnoreError(); }

  std::shared_ptr<const Executable> executable_;
  Arena arena_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<StepRunner> runner_;
  std::vector<TensorView> input_views_;
  std::vector<Tensor> outputs_;
  std::vector<MutableTensorView> output_views_;
  std::vector<double> whole_us_;
  std::vector<std::vector<double>> steps_us_;
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
