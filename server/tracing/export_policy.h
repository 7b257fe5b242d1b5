// SPDX-License-Identifier: Apache-2.0
// What to do with a batch of spans after an attempt to export it.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace octet {

// How an attempt ended.
struct ExportAttempt {
  int number = 1;                                                  // from 1
  unsigned status = 0;                                             // of HTTP; 0: no answer
  std::optional<std::chrono::seconds> retry_after = std::nullopt;  // as the collector wishes
  double jitter = 0;                                               // from 0 to 1, random
};

enum class ExportStep : std::uint8_t { kDone, kRetry, kGiveUp };

struct ExportVerdict {
  ExportStep step = ExportStep::kDone;
  std::chrono::milliseconds wait{0};  // before a retry
};

inline constexpr int kMostExportAttempts = 5;

// Retried is what the protocol says can be: no answer, 429, 502, 503 and 504; the waits double from
// one second to thirty, give or take a quarter, and are never shorter than the collector wishes, of
// which more than a minute is not heeded. Pure.
ExportVerdict AfterAttempt(const ExportAttempt& attempt);

}  // namespace octet
