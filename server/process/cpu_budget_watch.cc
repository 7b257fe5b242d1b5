// SPDX-License-Identifier: Apache-2.0

#include "server/process/cpu_budget_watch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "spdlog/spdlog.h"

namespace octet {

std::size_t ComputingThreads(const CpuBudget& budget, std::size_t started) {
  return std::min(static_cast<std::size_t>(std::max(budget.workers, 1)), started);
}

CpuBudgetWatch::CpuBudgetWatch(Options options, const CpuBudget& first)
    : options_(std::move(options)),
      seen_(first),
      computing_(ComputingThreads(first, options_.started)) {}

void CpuBudgetWatch::Look() {
  const CpuBudget now = options_.read();
  if (now == seen_) return;
  seen_ = now;
  const std::size_t computing = ComputingThreads(now, options_.started);
  if (computing != std::exchange(computing_, computing)) options_.apply(computing);
  const int cpus = std::min(now.affinity_cpus, now.cpuset_cpus.value_or(now.affinity_cpus));
  const bool wants_more = static_cast<std::size_t>(now.workers) > options_.started;
  spdlog::info("CPUs changed: {} CPUs{}: {} of {} computing threads compute{}", cpus,
               now.quota_cpus ? absl::StrFormat(", quota %.2f", *now.quota_cpus) : "", computing_,
               options_.started,
               wants_more ? absl::StrCat("; there is room for ", now.workers,
                                         ", which a restart would start")
                          : "");
}

}  // namespace octet
