// SPDX-License-Identifier: Apache-2.0
#include "models/calibration/calibrators.h"

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/calibration/min_max.h"

namespace octet {

namespace {

// One line a calibrator.
constexpr std::array kCalibrators = {
    CalibratorEntry{"min-max", "keeps every value seen; outliers cost precision",
                    MakeMinMaxCalibrator},
};

}  // namespace

std::span<const CalibratorEntry> BuiltInCalibrators() { return kCalibrators; }

absl::StatusOr<const CalibratorEntry*> FindCalibrator(absl::string_view name) {
  for (const CalibratorEntry& entry : kCalibrators) {
    if (entry.name == name) return &entry;
  }
  return absl::UnimplementedError(absl::StrCat(
      "unknown calibrator \"", name, "\"; known: ",
      absl::StrJoin(kCalibrators, ", ", [](std::string* out, const CalibratorEntry& entry) {
        absl::StrAppend(out, entry.name);
      })));
}

}  // namespace octet
