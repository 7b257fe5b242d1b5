// SPDX-License-Identifier: Apache-2.0
// The list of calibrators.

#pragma once

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/calibration/calibrator.h"

namespace octet {

struct CalibratorEntry {
  absl::string_view name;
  absl::string_view description;  // one line, for people
  std::unique_ptr<Calibrator> (*make)();
};

std::span<const CalibratorEntry> BuiltInCalibrators();

// Returns UNIMPLEMENTED, listing the known names, for another.
absl::StatusOr<const CalibratorEntry*> FindCalibrator(absl::string_view name);

}  // namespace octet
