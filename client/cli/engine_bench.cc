// SPDX-License-Identifier: Apache-2.0
#include "client/cli/engine_bench.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/cli/input_files.h"
#include "client/cli/local_model.h"
#include "client/cli/step_times.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

// One thread's Session and buffers.
struct Runner {
  Arena arena;
  std::unique_ptr<Session> session;
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> output_views;
  std::vector<double> times_us;
};

absl::StatusOr<std::unique_ptr<Runner>> MakeRunner(const LocalModel& model,
                                                   const std::vector<TensorView>& inputs) {
  auto runner = std::make_unique<Runner>();
  ASSIGN_OR_RETURN(runner->session, Session::Create(model.executable(), runner->arena));
  std::vector<Dims> dims;
  RETURN_IF_ERROR(runner->session->OutputDims(inputs, dims));
  for (std::size_t i = 0; i < dims.size(); ++i) {
    runner->outputs.emplace_back(model.executable()->outputs()[i].type.data_type, dims[i]);
  }
  for (Tensor& output : runner->outputs) runner->output_views.push_back(output.mutable_view());
  RETURN_IF_ERROR(runner->session->Run(inputs, runner->output_views));
  return runner;
}

void Measure(Runner& runner, const std::vector<TensorView>& inputs,
             SteadyClock::time_point stop_at) {
  kernels::PrepareThread();
  SteadyClock::time_point start = SteadyClock::now();
  do {  // once at least: the time may be over before the thread starts
    // MakeRunner has run the same batch, so that this cannot fail.
    runner.session->Run(inputs, runner.output_views).IgnoreError();
    const SteadyClock::time_point end = SteadyClock::now();
    runner.times_us.push_back(std::chrono::duration<double, std::micro>(end - start).count());
    start = end;
  } while (start < stop_at);
}

absl::StatusOr<std::vector<Tensor>> InputRows(const LocalModel& model,
                                              const EngineBenchOptions& options) {
  if (!options.inputs.empty()) {
    ASSIGN_OR_RETURN(const auto tensors, ReadInputFiles(options.inputs, model.inputs()));
    return TakeRows(tensors, options.batch);
  }
  if (model.bundle().self_test) return TakeRows(model.bundle().self_test->inputs, options.batch);
  return absl::InvalidArgumentError(absl::StrCat(
      "bundle \"", options.bundle, "\" has no self-test rows: give rows with --input"));
}

}  // namespace

absl::StatusOr<EngineResult> BenchEngine(const EngineBenchOptions& options) {
  if (options.batch < 1 || options.num_threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("batch is ", options.batch, " and threads ",
                                                   options.num_threads,
                                                   ", both must be at least 1"));
  }
  ASSIGN_OR_RETURN(const auto model,
                   LocalModel::Load(options.bundle, options.kernel_set, options.batch));
  ASSIGN_OR_RETURN(const std::vector<Tensor> tensors, InputRows(*model, options));
  std::vector<TensorView> inputs;
  for (const Tensor& tensor : tensors) inputs.push_back(tensor.view());
  std::vector<std::unique_ptr<Runner>> runners;
  for (int i = 0; i < options.num_threads; ++i) {
    ASSIGN_OR_RETURN(auto runner, MakeRunner(*model, inputs));
    runners.push_back(std::move(runner));
  }
  const SteadyClock::time_point begin = SteadyClock::now();
  std::vector<std::thread> threads;
  for (const auto& runner : runners) {
    threads.emplace_back(
        [&, raw = runner.get()] { Measure(*raw, inputs, begin + options.duration); });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  std::vector<double> times;
  for (const auto& runner : runners) {
    times.insert(times.end(), runner->times_us.begin(), runner->times_us.end());
  }
  return EngineResult{.kernel_set = std::string(model->executable()->kernel_set().name),
                      .batch = options.batch,
                      .num_threads = options.num_threads,
                      .best_us = *std::min_element(times.begin(), times.end()),
                      .median_us = Median(times),
                      .rows_per_second = static_cast<double>(times.size()) *
                                         static_cast<double>(options.batch) / seconds};
}

nlohmann::ordered_json EngineResultJson(const EngineResult& result) {
  return {{"kernel_set", result.kernel_set}, {"batch", result.batch},
          {"threads", result.num_threads},   {"best_us", result.best_us},
          {"median_us", result.median_us},   {"rows_per_second", result.rows_per_second}};
}

}  // namespace octet::cli
