// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/kernel_choices.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace octet {
namespace {

bool AreTimes(const ImplementationTimes& times) {
  return !times.us.empty() &&
         std::ranges::all_of(times.us, [](double us) { return std::isfinite(us) && us > 0; });
}

}  // namespace

std::size_t FastestImplementation(std::span<const ImplementationTimes> times) {
  const ImplementationTimes& usual = times.front();
  if (!AreTimes(usual)) return 0;
  std::size_t best = 0;
  double best_ratio = 1.0 - kChoiceMargin;
  for (std::size_t i = 1; i < times.size(); ++i) {
    if (!AreTimes(times[i])) continue;
    double log_sum = 0;
    double worst = 0;
    for (std::size_t batch = 0; batch < usual.us.size(); ++batch) {
      const double ratio = times[i].us[batch] / usual.us[batch];
      log_sum += std::log(ratio);
      worst = std::max(worst, ratio);
    }
    const double mean = std::exp(log_sum / static_cast<double>(usual.us.size()));
    if (mean < best_ratio && worst < 1.0 + kChoiceMargin) {
      best = i;
      best_ratio = mean;
    }
  }
  return best;
}

const KernelChoice* KernelChoices::Find(const Key& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

void KernelChoices::Set(Key key, KernelChoice choice) {
  entries_.insert_or_assign(std::move(key), std::move(choice));
}

}  // namespace octet
