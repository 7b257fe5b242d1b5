// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/call_order.h"

#include <algorithm>
#include <cstdint>
#include <map>

namespace octet::keras {

namespace {

enum class Visit : std::uint8_t { kNew, kOpen, kDone };

// The calls that `outputs` need, parents first: a depth-first search without recursion, because a
// file says how deep it goes.
class Search {
 public:
  explicit Search(std::span<const CallNode> nodes)
      : nodes_(nodes), visits_(nodes.size(), Visit::kNew) {}

  // False where it meets a cycle.
  bool From(std::size_t output) {
    if (visits_[output] == Visit::kDone) return true;
    Open(output);
    while (!path_.empty()) {
      Place& place = path_.back();
      const std::vector<std::size_t>& parents = nodes_[place.node].parents;
      if (place.next_parent == parents.size()) {
        visits_[place.node] = Visit::kDone;
        finished_.push_back(place.node);
        path_.pop_back();
        continue;
      }
      const std::size_t parent = parents[place.next_parent++];
      if (visits_[parent] == Visit::kOpen) return false;
      if (visits_[parent] == Visit::kNew) Open(parent);
    }
    return true;
  }

  [[nodiscard]] const std::vector<std::size_t>& finished() const { return finished_; }

 private:
  struct Place {
    std::size_t node;
    std::size_t next_parent;
  };

  void Open(std::size_t node) {
    visits_[node] = Visit::kOpen;
    path_.push_back({node, 0});
  }

  const std::span<const CallNode> nodes_;
  std::vector<Visit> visits_;
  std::vector<Place> path_;
  std::vector<std::size_t> finished_;
};

}  // namespace

std::optional<std::vector<std::size_t>> CallOrder(std::span<const CallNode> nodes,
                                                  std::span<const std::size_t> outputs) {
  Search search(nodes);
  for (const std::size_t output : outputs) {
    if (!search.From(output)) return std::nullopt;
  }
  constexpr std::size_t kUnknown = SIZE_MAX;
  std::vector<std::size_t> depths(nodes.size(), kUnknown);
  std::map<std::size_t, std::size_t> layer_depths;
  std::vector<std::size_t> order;
  const auto deepen = [&](std::size_t node, std::size_t depth) {
    if (depths[node] == kUnknown) {
      order.push_back(node);
      depths[node] = depth;
    }
    depths[node] = std::max(depths[node], depth);
  };
  const std::vector<std::size_t> last_finished_first(search.finished().rbegin(),
                                                     search.finished().rend());
  for (const std::size_t node : last_finished_first) {
    deepen(node, 0);
    std::size_t& layer_depth = layer_depths[nodes[node].layer];
    layer_depth = std::max(layer_depth, depths[node]);
    depths[node] = layer_depth;
    for (const std::size_t parent : nodes[node].parents) deepen(parent, layer_depth + 1);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return depths[a] > depths[b]; });
  return order;
}

}  // namespace octet::keras
