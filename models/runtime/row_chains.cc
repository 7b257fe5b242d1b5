// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/row_chains.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "models/runtime/compiled_graph.h"

namespace octet {
namespace {

// Of the 32 to 48 KiB that a core has; what a step reads besides is small.
constexpr std::size_t kBlockByteSize = std::size_t{24} << 10;

class ChainFinder {
 public:
  ChainFinder(const CompiledGraph& graph, std::span<const std::int32_t> roots)
      : graph_(graph),
        roots_(roots),
        num_steps_(static_cast<std::int32_t>(graph.steps.size())),
        made_by_(graph.values.size(), kNever),
        last_read_(graph.values.size(), kNever) {
    for (std::int32_t s = 0; s < num_steps_; ++s) {
      for (const std::int32_t id : StepAt(s).inputs) {
        if (id >= 0) last_read_[Root(id)] = s;
      }
      for (const std::int32_t id : StepAt(s).outputs) made_by_[Index(id)] = s;
    }
    for (const OutputCopy& copy : graph.output_copies) last_read_[Root(copy.value)] = num_steps_;
  }

  std::vector<RowChain> Find() const {
    std::vector<RowChain> chains;
    for (std::int32_t s = 0; s < num_steps_;) {
      RowChain chain = ChainFrom(s);
      s = chain.end_step;
      if (!PassesRowsOn(chain)) continue;
      AddValues(chain);
      chains.push_back(std::move(chain));
    }
    return chains;
  }

 private:
  static constexpr std::int32_t kNever = -1;

  // The longest chain from step `first` on; it may be the step alone.
  [[nodiscard]] RowChain ChainFrom(std::int32_t first) const {
    RowChain chain;
    chain.first_step = first;
    chain.end_step = first + 1;
    const std::optional<Shape>& rows = StepAt(first).row_shape;
    if (!rows.has_value()) return chain;
    chain.num_row_dims = rows->size();
    while (chain.end_step < num_steps_ && StepAt(chain.end_step).row_shape == rows) {
      ++chain.end_step;
    }
    return chain;
  }

  // Whether a step reads what another makes.
  [[nodiscard]] bool PassesRowsOn(const RowChain& chain) const {
    for (std::int32_t s = chain.first_step + 1; s < chain.end_step; ++s) {
      for (const std::int32_t id : StepAt(s).inputs) {
        if (id >= 0 && made_by_[Root(id)] >= chain.first_step) return true;
      }
    }
    return false;
  }

  void AddValues(RowChain& chain) const {
    std::vector<std::int32_t> ids;
    for (std::int32_t s = chain.first_step; s < chain.end_step; ++s) {
      for (const std::int32_t id : StepAt(s).inputs) {
        if (id >= 0 && !ValueAt(id).constant.has_value()) ids.push_back(id);
      }
      ids.insert(ids.end(), StepAt(s).outputs.begin(), StepAt(s).outputs.end());
    }
    std::ranges::sort(ids);
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    for (const std::int32_t id : ids) {
      const std::size_t root = Root(id);
      const bool is_local = graph_.values[root].storage == Storage::kUnused &&
                            made_by_[root] >= chain.first_step && last_read_[root] < chain.end_step;
      chain.values.push_back({.value = id, .is_local = is_local});
    }
  }

  static std::size_t Index(std::int32_t id) { return static_cast<std::size_t>(id); }
  [[nodiscard]] std::size_t Root(std::int32_t id) const { return Index(roots_[Index(id)]); }
  [[nodiscard]] const CompiledStep& StepAt(std::int32_t index) const {
    return graph_.steps[Index(index)];
  }
  [[nodiscard]] const CompiledValue& ValueAt(std::int32_t id) const {
    return graph_.values[Index(id)];
  }

  const CompiledGraph& graph_;
  const std::span<const std::int32_t> roots_;
  const std::int32_t num_steps_;
  std::vector<std::int32_t> made_by_;    // of each value: the step
  std::vector<std::int32_t> last_read_;  // of each root: the step; num_steps_: behind them all
};

}  // namespace

std::vector<RowChain> FindRowChains(const CompiledGraph& graph,
                                    std::span<const std::int32_t> roots) {
  return ChainFinder(graph, roots).Find();
}

std::int64_t RowsPerBlock(std::size_t row_byte_size) {
  return static_cast<std::int64_t>(
      std::max<std::size_t>(kBlockByteSize / std::max<std::size_t>(row_byte_size, 1), 1));
}

}  // namespace octet
