// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/share_quantized_rows.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/graph/unique_names.h"

namespace octet {
namespace {

// Of FullyConnected's inputs.
constexpr std::size_t kX = 0;
constexpr std::size_t kGroupIndex = 5;
constexpr std::size_t kRowScale = 8;

// What makes rows one by one, faster than a matrix product does.
constexpr std::array<absl::string_view, 3> kRowMakers = {"Gather", "LayerNormalization",
                                                         "RmsNormalization"};
// How rows are quantized.
constexpr std::array<const char*, 3> kParameters = {"dynamic_range", "dynamic_epsilon",
                                                    "dynamic_scale"};

// Nodes that share their rows have the same key: the value, and the parameters where they are set.
using Key = std::pair<ValueId, std::map<std::string, Attribute>>;

bool QuantizesItsRows(const Graph& graph, const Node& node) {
  if (node.op != "FullyConnected" || node.HasInput(kRowScale) || node.HasInput(kGroupIndex)) {
    return false;
  }
  const auto quantization = node.String("activation_quantization", "none");
  return quantization.ok() && *quantization == "dynamic" &&
         !graph.values[static_cast<std::size_t>(node.inputs[kX])].constant;
}

Key KeyOf(const Node& node) {
  Key key{node.inputs[kX], {}};
  for (const char* parameter : kParameters) {
    const auto attribute = node.attributes.find(parameter);
    if (attribute != node.attributes.end()) key.second.insert(*attribute);
  }
  return key;
}

class Sharing {
 public:
  explicit Sharing(Graph& graph)
      : graph_(graph),
        value_names_(graph.values),
        node_names_(graph.nodes),
        is_made_by_rows_(graph.values.size(), false) {
    for (const Node& node : graph.nodes) {
      if (QuantizesItsRows(graph, node)) ++users_[KeyOf(node)].count;
      const bool makes_rows =
          std::find(kRowMakers.begin(), kRowMakers.end(), node.op) != kRowMakers.end();
      if (makes_rows) is_made_by_rows_[static_cast<std::size_t>(node.outputs[0])] = true;
    }
  }

  void Run() {
    std::vector<Node> nodes;
    nodes.reserve(graph_.nodes.size());
    for (Node& node : graph_.nodes) {
      if (QuantizesItsRows(graph_, node)) Take(node, nodes);
      nodes.push_back(std::move(node));
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  struct QuantizedRows {
    ValueId values;
    ValueId scale;
  };
  // Of one key.
  struct Users {
    std::size_t count = 0;
    std::optional<QuantizedRows> rows;  // once a node quantizes them
  };

  // Lets `node` take rows that were quantized before it, if that is worth it: by one of `nodes`,
  // those in front of it, to which the first that takes them adds it.
  void Take(Node& node, std::vector<Node>& nodes) {
    const Key key = KeyOf(node);
    Users& users = users_[key];
    if (users.count < 2 && !is_made_by_rows_[static_cast<std::size_t>(key.first)]) return;
    if (!users.rows.has_value()) {
      users.rows = AddValues(key.first);
      nodes.push_back({.name = node_names_.Take(NameOf(key.first)),
                       .op = "QuantizeRows",
                       .inputs = {key.first},
                       .outputs = {users.rows->values, users.rows->scale},
                       .attributes = key.second});
    }
    node.inputs.resize(kRowScale + 1, kNoValue);
    node.inputs[kX] = users.rows->values;
    node.inputs[kRowScale] = users.rows->scale;
  }

  QuantizedRows AddValues(ValueId x) {
    TensorType values = At(x).type;
    values.data_type = DataType::kInt8;
    TensorType scale = At(x).type;
    scale.shape.back() = Dim(1);
    const std::string name = NameOf(x);
    QuantizedRows rows{};
    rows.values = graph_.AddValue(value_names_.Take(name), std::move(values));
    rows.scale = graph_.AddValue(value_names_.Take(absl::StrCat(name, "/scale")), std::move(scale));
    return rows;
  }

  [[nodiscard]] const Value& At(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] std::string NameOf(ValueId x) const {
    return absl::StrCat(At(x).name, "/QuantizeRows");
  }

  Graph& graph_;
  UniqueNames value_names_;
  UniqueNames node_names_;
  std::vector<bool> is_made_by_rows_;  // by ValueId
  std::map<Key, Users> users_;
};

}  // namespace

void ShareQuantizedRows(Graph& graph) { Sharing(graph).Run(); }

}  // namespace octet
