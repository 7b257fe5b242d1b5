// SPDX-License-Identifier: Apache-2.0
#include "models/calibration/min_max.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace octet {

namespace {

class MinMaxCalibrator final : public Calibrator {
 public:
  absl::Status Observe(std::span<const float> values) override {
    Range range = range_;
    for (const float value : values) {
      if (!std::isfinite(value)) {
        return absl::InvalidArgumentError(absl::StrCat("a value to calibrate on is ", value));
      }
      range.min = std::min(range.min, value);
      range.max = std::max(range.max, value);
    }
    range_ = range;
    has_seen_ = has_seen_ || !values.empty();
    return absl::OkStatus();
  }

  [[nodiscard]] absl::StatusOr<Range> ComputeRange() const override {
    if (!has_seen_) return absl::FailedPreconditionError("no value to calibrate on was seen");
    return range_;
  }

 private:
  Range range_;  // holds 0 from the start
  bool has_seen_ = false;
};

}  // namespace

std::unique_ptr<Calibrator> MakeMinMaxCalibrator() { return std::make_unique<MinMaxCalibrator>(); }

}  // namespace octet
