// SPDX-License-Identifier: Apache-2.0
#include "client/cli/engine_bench.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/cli/input_files.h"
#include "client/cli/kernel_choices.h"
#include "client/cli/local_model.h"
#include "client/cli/repeated_run.h"
#include "client/cli/step_times.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Runs until `stop_at`; how long each run took.
std::vector<double> Measure(RepeatedRun& run, SteadyClock::time_point stop_at) {
  kernels::PrepareThread();
  std::vector<double> times_us;
  SteadyClock::time_point start = SteadyClock::now();
  do {  // once at least: the time may be over before the thread starts
    run.Run();
    const SteadyClock::time_point end = SteadyClock::now();
    times_us.push_back(std::chrono::duration<double, std::micro>(end - start).count());
    start = end;
  } while (start < stop_at);
  return times_us;
}

absl::StatusOr<std::vector<Tensor>> InputRows(const LocalModel& model,
                                              const EngineBenchOptions& options) {
  if (model.inputs().empty() && options.batch != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "bundle \"", options.bundle, "\" has no inputs: its batch is 1, got ", options.batch));
  }
  if (!options.inputs.empty()) {
    ASSIGN_OR_RETURN(const auto tensors, ReadInputFiles(options.inputs, model.inputs()));
    return TakeRows(tensors, options.batch);
  }
  if (model.bundle().self_test) return TakeRows(model.bundle().self_test->inputs, options.batch);
  return absl::InvalidArgumentError(absl::StrCat(
      "bundle \"", options.bundle, "\" has no self-test rows: give rows with --input"));
}

// A bundle, and the batch it is measured with.
struct LoadedRows {
  std::unique_ptr<LocalModel> model;
  std::vector<Tensor> rows;
};

absl::StatusOr<LoadedRows> Load(const EngineBenchOptions& options) {
  if (options.batch < 1 || options.num_threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("batch is ", options.batch, " and threads ",
                                                   options.num_threads,
                                                   ", both must be at least 1"));
  }
  LoadedRows loaded;
  ASSIGN_OR_RETURN(loaded.model,
                   LocalModel::Load(options.bundle, options.kernel_set,
                                    {.max_rows = options.batch,
                                     .choices = ReadChoices(options.choices),
                                     .attention_precision = options.attention_precision}));
  ASSIGN_OR_RETURN(loaded.rows, InputRows(*loaded.model, options));
  return loaded;
}

}  // namespace

absl::StatusOr<EngineResult> BenchEngine(const EngineBenchOptions& options) {
  ASSIGN_OR_RETURN(const LoadedRows loaded, Load(options));
  ASSIGN_OR_RETURN(const auto runs,
                   RepeatedRun::CreateMany(loaded.model->executable(), loaded.rows,
                                           static_cast<std::size_t>(options.num_threads)));
  std::vector<std::vector<double>> times_us(runs.size());
  const SteadyClock::time_point begin = SteadyClock::now();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    threads.emplace_back([&, i] { times_us[i] = Measure(*runs[i], begin + options.duration); });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  std::vector<double> times;
  for (const auto& of_thread : times_us) {
    times.insert(times.end(), of_thread.begin(), of_thread.end());
  }
  return EngineResult{.kernel_set = std::string(loaded.model->executable()->kernel_set().name),
                      .batch = options.batch,
                      .num_threads = options.num_threads,
                      .best_us = *std::min_element(times.begin(), times.end()),
                      .median_us = Median(times),
                      .rows_per_second = static_cast<double>(times.size()) *
                                         static_cast<double>(options.batch) / seconds};
}

absl::StatusOr<StepProfile> ProfileEngine(const EngineBenchOptions& options) {
  ASSIGN_OR_RETURN(const LoadedRows loaded, Load(options));
  ASSIGN_OR_RETURN(auto times,
                   MeasureModels({loaded.model->executable()}, loaded.rows, options.duration));
  StepProfile profile = MakeStepProfile(std::move(times.front()));
  profile.kernel_set = loaded.model->executable()->kernel_set().name;
  profile.batch = options.batch;
  return profile;
}

nlohmann::ordered_json EngineResultJson(const EngineResult& result) {
  return {{"kernel_set", result.kernel_set}, {"batch", result.batch},
          {"threads", result.num_threads},   {"best_us", result.best_us},
          {"median_us", result.median_us},   {"rows_per_second", result.rows_per_second}};
}

}  // namespace octet::cli
