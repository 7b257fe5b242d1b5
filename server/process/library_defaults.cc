// SPDX-License-Identifier: Apache-2.0
#include "server/process/library_defaults.h"

#include <algorithm>
#include <malloc.h>

#include "absl/synchronization/mutex.h"

namespace octet {
namespace {

// The most that glibc takes: half of what an arena's heap can have.
constexpr int kLargestKeptBlock = 32 << 20;
// Free memory at the end of an arena beyond which it goes back.
constexpr int kMostFreeAtEnd = 64 << 20;
// An arena grows by as much more than it needs.
constexpr int kGrowth = 4 << 20;

}  // namespace

void SetLibraryDefaults(std::size_t num_threads) {
  mallopt(M_MMAP_THRESHOLD, kLargestKeptBlock);
  mallopt(M_TRIM_THRESHOLD, kMostFreeAtEnd);
  mallopt(M_TOP_PAD, kGrowth);
  mallopt(M_ARENA_MAX, static_cast<int>(std::clamp<std::size_t>(num_threads, 1, 1024)));
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace octet
