// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/memory_plan.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <queue>
#include <set>
#include <utility>

namespace octet {
namespace {

// Slots that no value has at the moment, by their typical size.
class FreeSlots {
 public:
  void Add(std::size_t typical_byte_size, std::int32_t slot) {
    slots_.emplace(typical_byte_size, slot);
  }

  // Of those whose size is the nearest, the one with the lowest number; nullopt if there is none.
  std::optional<std::int32_t> Take(std::size_t typical_byte_size) {
    if (slots_.empty()) return std::nullopt;
    auto best = slots_.lower_bound({typical_byte_size, 0});  // the first that is large enough
    if (best != slots_.begin()) {
      const std::size_t smaller_size = std::prev(best)->first;
      const auto smaller = slots_.lower_bound({smaller_size, 0});
      const std::size_t distance = typical_byte_size - smaller_size;
      if (best == slots_.end() || std::pair(distance, smaller->second) <
                                      std::pair(best->first - typical_byte_size, best->second)) {
        best = smaller;
      }
    }
    const std::int32_t slot = best->second;
    slots_.erase(best);
    return slot;
  }

 private:
  std::set<std::pair<std::size_t, std::int32_t>> slots_;
};

}  // namespace

std::vector<std::int32_t> AssignSlots(std::span<const Lifetime> lifetimes) {
  using LastStepAndSlot = std::pair<std::int32_t, std::int32_t>;
  std::priority_queue<LastStepAndSlot, std::vector<LastStepAndSlot>, std::greater<>> busy;
  FreeSlots free;
  std::vector<std::size_t> typical_byte_sizes;  // by slot
  std::vector<std::int32_t> assigned;
  assigned.reserve(lifetimes.size());
  for (const Lifetime& lifetime : lifetimes) {
    while (!busy.empty() && busy.top().first < lifetime.first_step) {
      const std::int32_t slot = busy.top().second;
      free.Add(typical_byte_sizes[static_cast<std::size_t>(slot)], slot);
      busy.pop();
    }
    std::optional<std::int32_t> slot = free.Take(lifetime.typical_byte_size);
    if (!slot.has_value()) {
      slot = static_cast<std::int32_t>(typical_byte_sizes.size());
      typical_byte_sizes.push_back(0);
    }
    std::size_t& typical_byte_size = typical_byte_sizes[static_cast<std::size_t>(*slot)];
    typical_byte_size = std::max(typical_byte_size, lifetime.typical_byte_size);
    busy.emplace(lifetime.last_step, *slot);
    assigned.push_back(*slot);
  }
  return assigned;
}

std::size_t PlaceSlots(std::span<const std::int32_t> slots, std::span<const std::size_t> byte_sizes,
                       std::span<std::size_t> offsets) {
  std::fill(offsets.begin(), offsets.end(), 0);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    std::size_t& size = offsets[static_cast<std::size_t>(slots[i])];
    size = std::max(size, byte_sizes[i]);
  }
  std::size_t end = 0;
  for (std::size_t& offset : offsets) {
    const std::size_t size = (offset + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
    offset = end;
    end += size;
  }
  return end;
}

}  // namespace octet
