// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/memory_plan.h"

#include <algorithm>

namespace octet {
namespace {

struct Slot {
  std::int32_t busy_until = 0;  // the last step of the value that has it
  std::size_t typical_byte_size = 0;
};

std::size_t Distance(std::size_t a, std::size_t b) { return a > b ? a - b : b - a; }

}  // namespace

std::vector<std::int32_t> AssignSlots(std::span<const Lifetime> lifetimes) {
  std::vector<Slot> slots;
  std::vector<std::int32_t> assigned;
  assigned.reserve(lifetimes.size());
  for (const Lifetime& lifetime : lifetimes) {
    Slot* best = nullptr;
    for (Slot& slot : slots) {
      if (slot.busy_until >= lifetime.first_step) continue;
      if (best == nullptr || Distance(slot.typical_byte_size, lifetime.typical_byte_size) <
                                 Distance(best->typical_byte_size, lifetime.typical_byte_size)) {
        best = &slot;
      }
    }
    if (best == nullptr) best = &slots.emplace_back();
    best->busy_until = lifetime.last_step;
    best->typical_byte_size = std::max(best->typical_byte_size, lifetime.typical_byte_size);
    assigned.push_back(static_cast<std::int32_t>(best - slots.data()));
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
