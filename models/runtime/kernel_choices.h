// SPDX-License-Identifier: Apache-2.0
// Which of several ways to compute a layer was measured to be the fastest on which CPU.

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace octet {

// How long one implementation takes: the best of several runs, for each batch size that was
// measured.
struct ImplementationTimes {
  std::string name = {};
  std::vector<double> us = {};

  friend bool operator==(const ImplementationTimes&, const ImplementationTimes&) = default;
};

// What was measured of one layer, and what came of it.
struct KernelChoice {
  std::string implementation;                  // one of `times`
  std::vector<std::int64_t> batch_sizes = {};  // rows; at least one
  // At least one, each with a time for each batch size.
  std::vector<ImplementationTimes> times = {};

  friend bool operator==(const KernelChoice&, const KernelChoice&) = default;
};

// Something must be so much faster than what the fixed rule takes to be taken in its place: clocks
// and neighbours disturb a measurement by less.
inline constexpr double kChoiceMargin = 0.05;

// Which of `times` to take. The first, the fixed rule's, stays unless another is faster by
// kChoiceMargin in the geometric mean over the batch sizes and slower by that at none of them;
// among those the fastest in the mean. Times that are not finite and above 0 choose nothing.
// Precondition: there is one at least, and all have equally many times.
std::size_t FastestImplementation(std::span<const ImplementationTimes> times);

// By CPU, kernel set and layer. Entries for other CPUs are kept: machines may
// share a file.
class KernelChoices {
 public:
  struct Key {
    std::string cpu;         // kernels::CpuName
    std::string kernel_set;  // its name
    std::string layer;       // kernels::LayerKey

    // NOLINTNEXTLINE(modernize-use-nullptr): there is no pointer
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  // Null if there is nothing for it. Valid until the next Set.
  [[nodiscard]] const KernelChoice* Find(const Key& key) const;
  void Set(Key key, KernelChoice choice);
  [[nodiscard]] const std::map<Key, KernelChoice>& entries() const { return entries_; }

 private:
  std::map<Key, KernelChoice> entries_;
};

}  // namespace octet
