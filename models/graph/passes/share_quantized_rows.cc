// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/share_quantized_rows.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

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
constexpr std::array<const char*, 2> kParameters = {"dynamic_range", "dynamic_epsilon"};

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
  explicit Sharing(Graph& graph) : graph_(graph) {
    for (const Node& node : graph.nodes) {
      if (QuantizesItsRows(graph, node)) ++num_users_[KeyOf(node)];
      const bool makes_rows =
          std::find(kRowMakers.begin(), kRowMakers.end(), node.op) != kRowMakers.end();
      if (makes_rows) made_by_rows_.push_back(node.outputs[0]);
    }
  }

  void Run() {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (QuantizesItsRows(graph_, graph_.nodes[n]) && Take(n)) ++n;
    }
  }

 private:
  struct QuantizedRows {
    ValueId values;
    ValueId scale;
  };

  // Lets node `n` take rows that were quantized before it, if that is worth it. Returns whether the
  // node that does so was put in front of it.
  bool Take(std::size_t n) {
    const Key key = KeyOf(graph_.nodes[n]);
    const bool is_made_by_rows =
        std::find(made_by_rows_.begin(), made_by_rows_.end(), key.first) != made_by_rows_.end();
    if (num_users_[key] < 2 && !is_made_by_rows) return false;
    const auto [rows, is_new] = rows_.try_emplace(key);
    if (is_new) rows->second = AddValues(key.first);
    std::vector<ValueId>& inputs = graph_.nodes[n].inputs;
    inputs.resize(kRowScale + 1, kNoValue);
    inputs[kX] = rows->second.values;
    inputs[kRowScale] = rows->second.scale;
    if (is_new) InsertQuantizeRows(n, key, rows->second);
    return is_new;
  }

  QuantizedRows AddValues(ValueId x) {
    TensorType values = At(x).type;
    values.data_type = DataType::kInt8;
    TensorType scale = At(x).type;
    scale.shape.back() = Dim(1);
    const std::string name = NameOf(x);
    QuantizedRows rows{};
    rows.values = graph_.AddValue(UniqueValueName(graph_, name), std::move(values));
    rows.scale =
        graph_.AddValue(UniqueValueName(graph_, absl::StrCat(name, "/scale")), std::move(scale));
    return rows;
  }

  void InsertQuantizeRows(std::size_t n, const Key& key, const QuantizedRows& rows) {
    Node node{.name = UniqueNodeName(graph_, NameOf(key.first)),
              .op = "QuantizeRows",
              .inputs = {key.first},
              .outputs = {rows.values, rows.scale},
              .attributes = key.second};
    graph_.nodes.insert(graph_.nodes.begin() + static_cast<std::ptrdiff_t>(n), std::move(node));
  }

  [[nodiscard]] const Value& At(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] std::string NameOf(ValueId x) const {
    return absl::StrCat(At(x).name, "/QuantizeRows");
  }

  Graph& graph_;
  std::map<Key, int> num_users_;
  std::vector<ValueId> made_by_rows_;
  std::map<Key, QuantizedRows> rows_;
};

}  // namespace

void ShareQuantizedRows(Graph& graph) { Sharing(graph).Run(); }

}  // namespace octet
