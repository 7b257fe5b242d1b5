// SPDX-License-Identifier: Apache-2.0
#include "client/cli/graph_report.h"

#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "client/cli/table.h"
#include "models/base/status_macros.h"
#include "models/graph/passes/passes.h"
#include "models/tensor/shape.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

const Value& ValueOf(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}

std::string TypeText(const Graph& graph, ValueId id) {
  const TensorType& type = ValueOf(graph, id).type;
  return absl::StrCat(std::string(DataTypeName(type.data_type)),
                      ToString(type.shape, graph.symbol_names));
}

// Names of what a node reads, but for constants.
std::vector<std::string> ActivationNames(const Graph& graph, const Node& node) {
  std::vector<std::string> names;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue || ValueOf(graph, id).constant) continue;
    names.push_back(ValueOf(graph, id).name);
  }
  return names;
}

std::string NodesText(const Graph& graph) {
  Table table({"node", "operator", "reads", "writes"});
  for (const Node& node : graph.nodes) {
    const auto written = absl::StrJoin(node.outputs, ", ", [&](std::string* out, ValueId id) {
      absl::StrAppend(out, ValueOf(graph, id).name, " ", TypeText(graph, id));
    });
    table.AddRow({node.name, node.op, absl::StrJoin(ActivationNames(graph, node), ", "), written});
  }
  return table.ToString();
}

Json NodesJson(const Graph& graph) {
  Json nodes = Json::array();
  for (const Node& node : graph.nodes) {
    Json outputs = Json::array();
    for (const ValueId id : node.outputs) {
      outputs.push_back({{"name", ValueOf(graph, id).name}, {"type", TypeText(graph, id)}});
    }
    nodes.push_back({{"name", node.name},
                     {"operator", node.op},
                     {"inputs", ActivationNames(graph, node)},
                     {"outputs", std::move(outputs)}});
  }
  return nodes;
}

double IntegerPercent(const ProductShare& share) {
  return share.all > 0 ? 100 * share.integer / share.all : 0;
}

}  // namespace

absl::StatusOr<GraphReport> MakeGraphReport(Graph graph, const OperatorRegistry& operators) {
  GraphReport report;
  report.run = graph;
  report.stored = std::move(graph);
  for (const Pass& pass : AllPasses()) {
    const std::size_t before = report.run.nodes.size();
    pass.run(report.run);
    const std::size_t after = report.run.nodes.size();
    if (after != before) report.effects.push_back({pass.name, before, after});
  }
  std::vector<std::int64_t> symbols(report.run.symbol_names.size(), kReportedLength);
  symbols[static_cast<std::size_t>(kRows.index)] = 1;
  ASSIGN_OR_RETURN(const std::vector<ProductCount> counts,
                   CountProducts(report.run, operators, symbols));
  report.share = SumProducts(counts);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    report.products.emplace(report.run.nodes[i].name, counts[i]);
  }
  return report;
}

std::string ProductsText(const GraphReport& report, const std::string& node) {
  const auto found = report.products.find(node);
  if (found == report.products.end() || found->second.count == 0) return "";
  return absl::StrFormat("%.0f %s", found->second.count,
                         found->second.are_integer ? "integer" : "float");
}

std::string ShareText(const GraphReport& report) {
  if (report.share.all == 0) return "";
  return absl::StrFormat("%.0f multiply-accumulates a row%s, %.1f %% of them in integers",
                         report.share.all,
                         report.run.symbol_names.size() > 1
                             ? absl::StrFormat(" (open dimensions of %d)", kReportedLength)
                             : "",
                         IntegerPercent(report.share));
}

Json ShareJson(const GraphReport& report) {
  Json json = {{"all", report.share.all},
               {"integer", report.share.integer},
               {"integer_percent", IntegerPercent(report.share)}};
  if (report.run.symbol_names.size() > 1) json["open_dimensions"] = kReportedLength;
  return json;
}

std::string GraphsText(const GraphReport& report) {
  std::string text = absl::StrCat("graph in the bundle: ", report.stored.nodes.size(), " nodes\n",
                                  NodesText(report.stored), "\n");
  for (const PassEffect& effect : report.effects) {
    absl::StrAppend(&text, effect.pass, ": ", effect.nodes_before, " nodes become ",
                    effect.nodes_after, "\n");
  }
  absl::StrAppend(&text, "graph that is run: ", report.run.nodes.size(), " nodes\n",
                  NodesText(report.run));
  return text;
}

Json GraphsJson(const GraphReport& report) {
  Json passes = Json::array();
  for (const PassEffect& effect : report.effects) {
    passes.push_back({{"name", std::string(effect.pass)},
                      {"nodes_before", effect.nodes_before},
                      {"nodes_after", effect.nodes_after}});
  }
  return {{"stored", NodesJson(report.stored)},
          {"passes", std::move(passes)},
          {"run", NodesJson(report.run)}};
}

}  // namespace octet::cli
