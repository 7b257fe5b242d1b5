// SPDX-License-Identifier: Apache-2.0
// Notices when the CPUs or the quota of this process change while it serves.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

#include "models/base/cpu_budget.h"

namespace octet {

// How many threads may compute of `started`. Pure.
std::size_t ComputingThreads(const CpuBudget& budget, std::size_t started);

// Thread safety: one thread. It has none of its own: somebody who is awake now and then asks.
class CpuBudgetWatch {
 public:
  static constexpr std::chrono::seconds kInterval{5};

  struct Options {
    std::size_t started = 1;  // threads that may compute at the most
    std::function<CpuBudget()> read;
    std::function<void(std::size_t)> apply;  // takes the threads that may compute from now on
  };
  // `first` is what the threads were started for.
  CpuBudgetWatch(Options options, const CpuBudget& first);

  // Reads, and if it has changed, applies and logs it.
  void Look();

 private:
  const Options options_;
  CpuBudget seen_;
  std::size_t computing_;
};

}  // namespace octet
