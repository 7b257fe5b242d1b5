// SPDX-License-Identifier: Apache-2.0
#include "client/cli/layer_comparison.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "models/quality/cosine.h"
#include "models/quality/difference.h"

namespace octet::cli {
namespace {

// The times of steps that have no row yet.
class Times {
 public:
  explicit Times(const std::vector<StepTime>& steps) : steps_(steps) {
    for (const StepTime& step : steps) us_[step.node] = step.median_us;
  }

  // The time of the step called `node`, which has a row from now on.
  std::optional<double> Take(const std::string& node) {
    const auto found = us_.find(node);
    if (found == us_.end()) return std::nullopt;
    const double us = found->second;
    us_.erase(found);
    return us;
  }

  [[nodiscard]] std::vector<StepTime> Rest() const {
    std::vector<StepTime> rest;
    std::copy_if(steps_.begin(), steps_.end(), std::back_inserter(rest),
                 [this](const StepTime& step) { return us_.contains(step.node); });
    return rest;
  }

 private:
  const std::vector<StepTime>& steps_;
  std::map<std::string, double> us_;
};

}  // namespace

Difference Compare(const std::vector<float>& expected, const std::vector<float>& actual,
                   std::int64_t num_rows) {
  const std::size_t width = expected.size() / static_cast<std::size_t>(num_rows);
  return {.sqnr_db = SqnrDecibels(expected, actual),
          .cosine = width == 0 ? 1.0 : MeanCosineSimilarity(expected, actual, width),
          .max_abs_difference = MaxAbsDifference(expected, actual)};
}

std::vector<LayerComparison> CompareLayers(const std::vector<ObservedValue>& first,
                                           const std::vector<StepTime>& first_steps,
                                           const std::vector<ObservedValue>& other,
                                           const std::vector<StepTime>& other_steps) {
  Times first_times(first_steps);
  Times other_times(other_steps);
  std::set<const ObservedValue*> compared;
  std::vector<LayerComparison> rows;
  for (const ObservedValue& value : first) {
    LayerComparison row{.layer = value.node,
                        .value = value.name,
                        .op = value.op,
                        .difference = std::nullopt,
                        .first_us = first_times.Take(value.node),
                        .us = std::nullopt};
    const auto match = std::find_if(other.begin(), other.end(), [&](const ObservedValue& entry) {
      return entry.name == value.name && entry.dims == value.dims;
    });
    if (match != other.end()) {
      row.difference = Compare(value.elements, match->elements, value.dims[0]);
      row.us = other_times.Take(match->node);
      compared.insert(&*match);
    }
    rows.push_back(std::move(row));
  }
  for (const ObservedValue& value : other) {
    if (compared.contains(&value)) continue;
    rows.push_back({value.node, value.name, value.op, std::nullopt, std::nullopt,
                    other_times.Take(value.node)});
  }
  for (const StepTime& step : first_times.Rest()) {
    rows.push_back(
        {step.node, "", step.op, std::nullopt, step.median_us, other_times.Take(step.node)});
  }
  for (const StepTime& step : other_times.Rest()) {
    rows.push_back({step.node, "", step.op, std::nullopt, std::nullopt, step.median_us});
  }
  return rows;
}

}  // namespace octet::cli
