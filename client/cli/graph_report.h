// SPDX-License-Identifier: Apache-2.0
// What `octet inspect` tells of a graph: its nodes before and after the passes that every load
// runs, and how much of what it multiplies it multiplies in integers.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/graph/product_counts.h"

namespace octet::cli {

// Products are counted for one row, other open dimensions being this large.
inline constexpr std::int64_t kReportedLength = 128;

// One pass that changed how many nodes there are.
struct PassEffect {
  absl::string_view pass;
  std::size_t nodes_before = 0;
  std::size_t nodes_after = 0;
};

struct GraphReport {
  Graph stored;  // as the bundle has it
  Graph run;     // after the passes
  std::vector<PassEffect> effects;
  std::map<std::string, ProductCount> products;  // of the nodes that are run, by name
  ProductShare share;
};

// Precondition: `graph` is verified. Returns the errors of CountProducts.
absl::StatusOr<GraphReport> MakeGraphReport(Graph graph, const OperatorRegistry& operators);

// The products of a node that is run: "1179648 int8", "768 float"; empty for one without.
std::string ProductsText(const GraphReport& report, const std::string& node);

// One line: all products of a row, and how many of a hundred are integer; "" where there are none.
std::string ShareText(const GraphReport& report);
nlohmann::ordered_json ShareJson(const GraphReport& report);

// Both graphs, node by node, and between them the passes that changed something.
std::string GraphsText(const GraphReport& report);
nlohmann::ordered_json GraphsJson(const GraphReport& report);

}  // namespace octet::cli
