// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/measure_choices.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "kernels/cpu_features.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/runtime/step_runner.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;

// A layer with several ways, by its key.
using Layers = std::map<std::string, std::vector<std::string>>;

Layers LayersWithAChoice(const Executable& executable) {
  Layers layers;
  for (const CompiledStep& step : executable.compiled().steps) {
    if (step.implementation.has_value() && step.implementation->fitting.size() > 1) {
      layers.emplace(step.implementation->layer, step.implementation->fitting);
    }
  }
  return layers;
}

// The graph compiled in one way, and its runs.
class Candidate {
 public:
  static absl::StatusOr<std::unique_ptr<Candidate>> Create(
      std::shared_ptr<const Executable> executable, std::span<const std::vector<Tensor>> batches) {
    std::unique_ptr<Candidate> candidate(new Candidate());
    for (const std::vector<Tensor>& batch : batches) {
      ASSIGN_OR_RETURN(auto runner, StepRunner::Create(*executable, batch));
      candidate->runners_.push_back(std::move(runner));
      candidate->best_.emplace_back(executable->compiled().steps.size(), nanoseconds::max());
    }
    candidate->executable_ = std::move(executable);
    return candidate;
  }

  // Returns whether it came to the end.
  bool Run(std::size_t batch, const MeasureOptions& options) {
    StepRunner& runner = *runners_[batch];
    for (std::size_t i = 0; i < runner.num_steps(); ++i) {
      if (options.stops()) return false;
      const nanoseconds start = options.now();
      runner.Run(i);
      best_[batch][i] = std::min(best_[batch][i], options.now() - start);
    }
    return true;
  }

  // Adds the best times, in microseconds, of the layers' steps to those of way `way`, where a layer
  // has so many.
  void AddTimes(std::size_t way, std::map<std::string, KernelChoice>& measured) const {
    const std::vector<CompiledStep>& steps = executable_->compiled().steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!steps[i].implementation.has_value()) continue;
      const auto layer = measured.find(steps[i].implementation->layer);
      if (layer == measured.end() || way >= layer->second.times.size()) continue;
      for (std::size_t batch = 0; batch < best_.size(); ++batch) {
        layer->second.times[way].us[batch] +=
            std::chrono::duration<double, std::micro>(best_[batch][i]).count();
      }
    }
  }

 private:
  Candidate() = default;

  std::shared_ptr<const Executable> executable_;
  std::vector<std::unique_ptr<StepRunner>> runners_;  // by batch
  std::vector<std::vector<nanoseconds>> best_;        // by batch and step
};

// Memory that is read between two runs, so that they find the caches as if others had run.
class OtherMemory {
 public:
  explicit OtherMemory(std::size_t byte_size) : bytes_(byte_size) {}

  // Afterwards `inputs` are as near as if a layer had just written them.
  void Read(std::span<const Tensor> inputs) {
    if (bytes_.empty()) return;
    ReadLines(bytes_);
    for (const Tensor& input : inputs) ReadLines(input.bytes());
  }

 private:
  void ReadLines(std::span<const std::byte> bytes) {
    constexpr std::size_t kLine = 64;
    unsigned sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i += kLine) sum += static_cast<unsigned>(bytes[i]);
    sum_ = sum;
  }

  const std::vector<std::byte> bytes_;
  volatile unsigned sum_ = 0;  // so that the reads are not left out
};

absl::Status Stopped() { return absl::CancelledError("measuring was stopped"); }

// Until the time is over; how often all of them ran on all batches.
absl::StatusOr<int> RunRounds(const std::vector<std::unique_ptr<Candidate>>& candidates,
                              std::span<const std::vector<Tensor>> batches,
                              const MeasureOptions& options, nanoseconds begin) {
  OtherMemory other(options.other_byte_size);
  int num_rounds = 0;
  while (options.now() - begin < options.budget) {
    for (std::size_t batch = 0; batch < batches.size(); ++batch) {
      for (const auto& candidate : candidates) {
        other.Read(batches[batch]);
        if (!candidate->Run(batch, options)) return Stopped();
      }
    }
    ++num_rounds;
  }
  return num_rounds;
}

}  // namespace

absl::StatusOr<int> MeasureChoices(const Graph& graph, const OperatorRegistry& operators,
                                   const kernels::KernelSet& kernels,
                                   std::span<const std::vector<Tensor>> batches,
                                   const MeasureOptions& options, KernelChoices& choices) {
  const nanoseconds begin = options.now();
  const std::string cpu = kernels::CpuName();
  const auto key_of = [&](const std::string& layer) {
    return KernelChoices::Key{cpu, std::string(kernels.name), layer};
  };
  CompileOptions compile = options.compile;
  compile.choices = nullptr;
  ASSIGN_OR_RETURN(auto usual, Executable::Compile(graph, operators, kernels, compile));
  const Layers layers = LayersWithAChoice(*usual);
  if (layers.empty()) return 0;

  std::vector<std::unique_ptr<Candidate>> candidates;
  ASSIGN_OR_RETURN(candidates.emplace_back(), Candidate::Create(std::move(usual), batches));
  std::size_t num_ways = 0;
  for (const auto& [layer, names] : layers) num_ways = std::max(num_ways, names.size());
  for (std::size_t way = 1; way < num_ways; ++way) {
    const auto forced = std::make_shared<KernelChoices>();
    for (const auto& [layer, names] : layers) {
      if (way < names.size()) forced->Set(key_of(layer), {.implementation = names[way]});
    }
    compile.choices = forced;
    if (options.stops()) return Stopped();
    ASSIGN_OR_RETURN(auto executable, Executable::Compile(graph, operators, kernels, compile));
    ASSIGN_OR_RETURN(candidates.emplace_back(), Candidate::Create(std::move(executable), batches));
  }

  ASSIGN_OR_RETURN(const int num_rounds, RunRounds(candidates, batches, options, begin));
  if (num_rounds < kMinRounds) {
    return absl::DeadlineExceededError(
        absl::StrCat("the time was enough for ", num_rounds, " rounds of ", candidates.size(),
                     " ways to run the model, wants ", kMinRounds, ": give more"));
  }

  std::map<std::string, KernelChoice> measured;
  for (const auto& [layer, names] : layers) {
    KernelChoice& choice = measured[layer];
    for (const std::vector<Tensor>& batch : batches) {
      choice.batch_sizes.push_back(batch.empty() ? 1 : batch.front().dims().front());
    }
    for (const std::string& name : names) {
      choice.times.push_back({name, std::vector<double>(batches.size())});
    }
  }
  for (std::size_t way = 0; way < candidates.size(); ++way) {
    candidates[way]->AddTimes(way, measured);
  }
  for (auto& [layer, choice] : measured) {
    choice.implementation = choice.times[FastestImplementation(choice.times)].name;
    choices.Set(key_of(layer), std::move(choice));
  }
  return static_cast<int>(measured.size());
}

}  // namespace octet
