// SPDX-License-Identifier: Apache-2.0
// Octet on a bundle, through the call that the server's workers use. --variant is empty, or
// `workers=N`: as many Sessions of one Executable, each in a thread of its own; a time is then the
// inverse of how many runs a second they make together.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <latch>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"

#include "client/cli/local_model.h"
#include "client/cli/repeated_run.h"
#include "kernels/kernel_set.h"
#include "tests/bench/engine/contender.h"

namespace octet::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Workers = std::vector<std::unique_ptr<cli::RepeatedRun>>;

// At least so many of each worker, that the first and the last matter little.
constexpr std::size_t kLeastRuns = 10;

// The kernels of its steps, each once.
std::string Kernels(const Executable& executable) {
  std::set<std::string> kernels;
  for (const StepDescription& step : executable.steps()) kernels.insert(step.kernel);
  return absl::StrJoin(kernels, "; ");
}

std::size_t NumWorkers(std::string_view variant) {
  constexpr std::string_view kPrefix = "workers=";
  if (variant.empty()) return 1;
  std::size_t count = 0;
  if (variant.starts_with(kPrefix)) {
    const std::string_view number = variant.substr(kPrefix.size());
    const auto [end, error] = std::from_chars(number.begin(), number.end(), count);
    if (error != std::errc() || end != number.end()) count = 0;
  }
  if (count == 0) {
    Fail("--variant is \"" + std::string(variant) + "\", want workers=N with N of at least 1");
  }
  return count;
}

Workers MakeWorkers(const std::shared_ptr<const Executable>& executable,
                    const std::vector<Tensor>& inputs, std::size_t count) {
  auto workers = cli::RepeatedRun::CreateMany(executable, inputs, count);
  Require(workers.status());
  return *std::move(workers);
}

// What one worker made.
struct Work {
  std::size_t runs = 0;
  double us = 0;
};

Work RunFor(cli::RepeatedRun& worker, double seconds, std::latch& start) {
  kernels::PrepareThread();
  worker.Run();  // warms the caches
  start.arrive_and_wait();
  Work work;
  const SteadyClock::time_point begin = SteadyClock::now();
  do {
    worker.Run();
    ++work.runs;
    work.us = std::chrono::duration<double, std::micro>(SteadyClock::now() - begin).count();
  } while (work.us < seconds * 1e6 || work.runs < kLeastRuns);
  return work;
}

// Each worker counts in its own time, so that it does not matter which of them ends last.
Times MeasureTogether(const Workers& workers, double seconds) {
  std::vector<Work> work(workers.size());
  std::latch start(static_cast<std::ptrdiff_t>(workers.size()));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    threads.emplace_back([&, i] { work[i] = RunFor(*workers[i], seconds, start); });
  }
  for (std::thread& thread : threads) thread.join();
  double runs_per_us = 0;
  Times times;
  for (const Work& of_worker : work) {
    runs_per_us += static_cast<double>(of_worker.runs) / of_worker.us;
    times.runs += of_worker.runs;
  }
  times.best_us = times.median_us = 1 / runs_per_us;
  return times;
}

int Run(const ContenderOptions& options) {
  kernels::PrepareThread();
  const std::vector<Tensor> inputs = ReadInputs(options);
  const auto model =
      cli::LocalModel::Load(options.model, KernelSetName(), {.max_rows = inputs[0].dims()[0]});
  Require(model.status());
  const std::shared_ptr<const Executable>& executable = (*model)->executable();
  const Workers workers = MakeWorkers(executable, inputs, NumWorkers(options.variant));
  const Tensor& answer = workers.front()->outputs()[0];
  for (const auto& worker : workers) {
    if (!std::ranges::equal(worker->outputs()[0].bytes(), answer.bytes())) {
      Fail("the workers do not answer the same");
    }
  }
  WriteAnswer(options, answer.view());
  Contender contender = {.version = std::string(executable->kernel_set().name),
                         .detail = Kernels(*executable),
                         .run = [&] { workers.front()->Run(); }};
  if (!options.variant.empty()) {
    contender.measure = [&](double seconds) { return MeasureTogether(workers, seconds); };
  }
  return Serve(contender);
}

}  // namespace
}  // namespace octet::bench

int main(int argc, char** argv) {
  return octet::bench::ContenderMain(argc, argv, octet::bench::Run);
}
