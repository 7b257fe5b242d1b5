// SPDX-License-Identifier: Apache-2.0
// Which intermediate tensors share which bytes of a worker's arena.
//
// Values whose lifetimes do not overlap share a slot. Slots are assigned once, when a graph is
// compiled; how large each is, and so where it lies, is a function of the shape's symbols and is
// evaluated per batch.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace octet {

// Where each slot lies is rounded up to this.
inline constexpr std::size_t kArenaAlignment = 64;

// The steps between which a value must keep its bytes, both included.
struct Lifetime {
  std::int32_t first_step = 0;
  std::int32_t last_step = 0;
  // Bytes for a typical batch: values of like size are put together.
  std::size_t typical_byte_size = 0;
};

// Slots for values by interval colouring: two values share one only if their lifetimes do not meet.
// Of those that are free, a value gets the one whose values are nearest to it in size. Returns a
// slot for each lifetime; slots are numbered from 0 without a gap. `lifetimes` are in the order of
// their first step.
std::vector<std::int32_t> AssignSlots(std::span<const Lifetime> lifetimes);

// The offset of each slot for values of these sizes (`byte_sizes[i]` belongs to `slots[i]`), into
// `offsets` (one for each slot). Returns the size of them all. Allocates nothing.
std::size_t PlaceSlots(std::span<const std::int32_t> slots, std::span<const std::size_t> byte_sizes,
                       std::span<std::size_t> offsets);

}  // namespace octet
