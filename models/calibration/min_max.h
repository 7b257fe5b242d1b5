// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "models/calibration/calibrator.h"

namespace octet {

// Keeps every value seen: min(0, smallest) to max(0, largest).
std::unique_ptr<Calibrator> MakeMinMaxCalibrator();

}  // namespace octet
