// SPDX-License-Identifier: Apache-2.0

#include "server/tracing/export_policy.h"

#include <algorithm>

namespace octet {

ExportVerdict AfterAttempt(const ExportAttempt& attempt) {
  using std::chrono::milliseconds;
  if (attempt.status >= 200 && attempt.status < 300) return {.step = ExportStep::kDone};
  const bool may_retry = attempt.status == 0 || attempt.status == 429 || attempt.status == 502 ||
                         attempt.status == 503 || attempt.status == 504;
  if (!may_retry || attempt.number >= kMostExportAttempts) return {.step = ExportStep::kGiveUp};
  constexpr double kFirst = 1000;
  constexpr double kLongest = 30'000;
  const double doubled = kFirst * static_cast<double>(1 << std::min(attempt.number - 1, 10));
  const double wait = std::min(doubled, kLongest) * (0.75 + 0.5 * attempt.jitter);
  constexpr std::chrono::seconds kMostHeeded{60};
  const milliseconds wished =
      std::min(attempt.retry_after.value_or(std::chrono::seconds(0)), kMostHeeded);
  return {.step = ExportStep::kRetry,
          .wait = std::max(milliseconds(static_cast<std::int64_t>(wait)), wished)};
}

}  // namespace octet
