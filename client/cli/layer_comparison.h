// SPDX-License-Identifier: Apache-2.0
// Two models layer by layer.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/observed_values.h"
#include "client/cli/step_times.h"

namespace octet::cli {

// How far real numbers are from those of the yardstick.
struct Difference {
  double sqnr_db = 0;  // infinite if there is none
  double cosine = 0;   // mean over rows
  double max_abs_difference = 0;
};

// One value, and the step that computes it; or a step alone, where nothing is compared.
struct LayerComparison {
  std::string layer;  // the node's name
  std::string value;  // empty: a step whose values are not observed
  std::string op;
  std::optional<Difference> difference;  // none: only one of the two has it
  std::optional<double> first_us;        // of the step; none where there is no step of its own
  std::optional<double> us;
};

// Precondition: as many elements in both, in rows; `num_rows` is at least 1.
Difference Compare(const std::vector<float>& expected, const std::vector<float>& actual,
                   std::int64_t num_rows);

// The values of `first` in their order, each with the value of the same name and shape of `other`;
// then what only `other` has; then the steps that have no row yet. A step's time stands in one row.
std::vector<LayerComparison> CompareLayers(const std::vector<ObservedValue>& first,
                                           const std::vector<StepTime>& first_steps,
                                           const std::vector<ObservedValue>& other,
                                           const std::vector<StepTime>& other_steps);

}  // namespace octet::cli
