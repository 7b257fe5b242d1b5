// SPDX-License-Identifier: Apache-2.0
// Whether the server has had nothing to do for some time. Pure.

#pragma once

#include <chrono>
#include <optional>

#include "server/scheduling/drain_gate.h"

namespace octet {

// Thread safety: one thread at a time.
class IdleWatch {
 public:
  explicit IdleWatch(std::chrono::nanoseconds quiet) : quiet_(quiet) {}

  // Whether, at `now`, no request is inside and for `quiet` none has come or gone. The first look
  // counts as a request: nobody knows what was before.
  bool Look(std::chrono::nanoseconds now, RequestCounts counts) {
    if (!quiet_since_ || counts != counts_) quiet_since_ = now;
    counts_ = counts;
    return counts.entered == counts.left && now - *quiet_since_ >= quiet_;
  }

  // Of the last look.
  [[nodiscard]] RequestCounts counts() const { return counts_; }

 private:
  const std::chrono::nanoseconds quiet_;
  std::optional<std::chrono::nanoseconds> quiet_since_;
  RequestCounts counts_;
};

}  // namespace octet
