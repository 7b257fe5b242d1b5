// SPDX-License-Identifier: Apache-2.0
// What bundles answer to the same rows, layer by layer, and how long they take.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

#include "client/cli/layer_comparison.h"

namespace octet::cli {

struct CompareOptions {
  std::vector<std::string> bundles = {};    // two or more; the first is the yardstick
  std::vector<std::string> inputs = {};     // --input arguments: rows like those to serve
  std::string kernel_set = {};              // empty: the best
  std::int64_t num_layer_rows = 32;         // of the inputs, whose layers are kept in memory
  std::chrono::milliseconds duration{500};  // of each bundle's two measurements of time
};

struct BundleComparison {
  std::string bundle = {};
  std::string precision = {};
  double us_per_row = 0;  // median
  // Of the first output, with the first bundle's; none for the first itself.
  std::optional<Difference> difference = {};
  std::optional<double> agreement = {};  // share of rows with the same largest output
  std::vector<LayerComparison> layers = {};
};

struct ComparisonResult {
  std::string kernel_set;
  std::int64_t num_rows = 0;
  std::int64_t num_layer_rows = 0;
  std::vector<BundleComparison> bundles = {};
};

// Returns INVALID_ARGUMENT naming the bundle if its inputs or outputs are not the first's,
// UNIMPLEMENTED if its first output is not FP32, the errors of reading and running bundles and of
// ReadInputFiles.
absl::StatusOr<ComparisonResult> CompareBundles(const CompareOptions& options);

// For people, and for programs. JSON has no infinite number: there an infinite SQNR is null beside
// a max_abs_difference of 0.
std::string ComparisonText(const ComparisonResult& result);
nlohmann::ordered_json ComparisonJson(const ComparisonResult& result);

}  // namespace octet::cli
