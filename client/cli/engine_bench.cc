// SPDX-License-Identifier: Apache-2.0
#include "client/cli/engine_bench.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/cli/local_model.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

// The first `batch` rows of `tensors`, which are repeated where there are fewer.
std::vector<Tensor> TakeRows(const std::vector<Tensor>& tensors, std::int64_t batch) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    Dims dims = tensor.dims();
    dims[0] = batch;
    Tensor rows(tensor.data_type(), dims);
    const std::size_t row_bytes = rows.bytes().size() / static_cast<std::size_t>(batch);
    for (std::int64_t row = 0; row < batch; ++row) {
      const auto source = static_cast<std::size_t>(row % tensor.dims()[0]) * row_bytes;
      std::memcpy(rows.bytes().data() + static_cast<std::size_t>(row) * row_bytes,
                  tensor.bytes().data() + source, row_bytes);
    }
    result.push_back(std::move(rows));
  }
  return result;
}

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
  while (start < stop_at) {
    // MakeRunner has run the same batch, so that this cannot fail.
    runner.session->Run(inputs, runner.output_views).IgnoreError();
    const SteadyClock::time_point end = SteadyClock::now();
    runner.times_us.push_back(std::chrono::duration<double, std::micro>(end - start).count());
    start = end;
  }
}

}  // namespace

absl::StatusOr<EngineResult> BenchEngine(const EngineBenchOptions& options) {
  ASSIGN_OR_RETURN(const auto model, LocalModel::Load(options.bundle, options.kernel_set,
                                                      std::max<std::int64_t>(options.batch, 1)));
  std::vector<Tensor> tensors;
  if (!options.inputs.empty()) {
    ASSIGN_OR_RETURN(tensors, ReadInputFiles(options.inputs, model->inputs()));
    tensors = TakeRows(tensors, options.batch);
  } else if (model->bundle().self_test) {
    tensors = TakeRows(model->bundle().self_test->inputs, options.batch);
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "bundle \"", options.bundle, "\" has no self-test rows: give rows with --input"));
  }
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
  std::sort(times.begin(), times.end());
  return EngineResult{.kernel_set = std::string(model->executable()->kernel_set().name),
                      .batch = options.batch,
                      .num_threads = options.num_threads,
                      .best_us = times.front(),
                      .median_us = times[times.size() / 2],
                      .rows_per_second = static_cast<double>(times.size()) *
                                         static_cast<double>(options.batch) / seconds};
}

nlohmann::ordered_json EngineResultJson(const EngineResult& result) {
  return {{"kernel_set", result.kernel_set}, {"batch", result.batch},
          {"threads", result.num_threads},   {"best_us", result.best_us},
          {"median_us", result.median_us},   {"rows_per_second", result.rows_per_second}};
}

}  // namespace octet::cli
