// SPDX-License-Identifier: Apache-2.0
// Which range of real values an int8 tensor is to stand for.

#pragma once

#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace octet {

// The real values from `min` to `max`. Always holds 0, so that padding and dead units are exact.
struct Range {
  float min = 0.0F;
  float max = 0.0F;
  friend bool operator==(const Range&, const Range&) = default;
};

// Sees the values of one tensor, batch after batch, and says what to keep.
// Thread safety: one thread at a time.
class Calibrator {
 public:
  virtual ~Calibrator() = default;

  // Returns INVALID_ARGUMENT for a value that is not finite.
  virtual absl::Status Observe(std::span<const float> values) = 0;

  // The range for what was seen. Returns FAILED_PRECONDITION if nothing was.
  [[nodiscard]] virtual absl::StatusOr<Range> ComputeRange() const = 0;
};

}  // namespace octet
