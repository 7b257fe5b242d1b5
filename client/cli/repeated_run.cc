// SPDX-License-Identifier: Apache-2.0
#include "client/cli/repeated_run.h"

#include <cstddef>
#include <thread>
#include <utility>

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"

namespace octet::cli {

absl::StatusOr<std::unique_ptr<RepeatedRun>> RepeatedRun::Create(
    const std::shared_ptr<const Executable>& executable, std::span<const Tensor> inputs) {
  std::unique_ptr<RepeatedRun> run(new RepeatedRun());
  for (const Tensor& input : inputs) run->input_views_.push_back(input.view());
  ASSIGN_OR_RETURN(run->session_, Session::Create(executable, run->arena_));
  std::vector<Dims> dims;
  RETURN_IF_ERROR(run->session_->OutputDims(run->input_views_, dims));
  for (std::size_t i = 0; i < dims.size(); ++i) {
    run->outputs_.emplace_back(executable->outputs()[i].type.data_type, dims[i]);
  }
  for (Tensor& output : run->outputs_) run->output_views_.push_back(output.mutable_view());
  RETURN_IF_ERROR(run->session_->Run(run->input_views_, run->output_views_));
  return run;
}

absl::StatusOr<std::vector<std::unique_ptr<RepeatedRun>>> RepeatedRun::CreateMany(
    const std::shared_ptr<const Executable>& executable, std::span<const Tensor> inputs,
    std::size_t count) {
  std::vector<absl::StatusOr<std::unique_ptr<RepeatedRun>>> made(count);
  std::vector<std::thread> threads;
  for (auto& run : made) {
    threads.emplace_back([&executable, inputs, &run] {
      kernels::PrepareThread();
      run = Create(executable, inputs);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::unique_ptr<RepeatedRun>> runs;
  for (auto& run : made) {
    RETURN_IF_ERROR(run.status());
    runs.push_back(*std::move(run));
  }
  return runs;
}

}  // namespace octet::cli
