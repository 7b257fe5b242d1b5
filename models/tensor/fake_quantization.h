// SPDX-License-Identifier: Apache-2.0
// TensorFlow's fake quantization: float32 numbers brought onto the grid that integers of a few bits
// would have, as training with quantization in mind does.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/status/statusor.h"

namespace octet {

// The operators differ in how they divide by the step.
enum class FakeQuantizationStep : std::uint8_t {
  kDivide,   // FakeQuantWithMinMaxVars: one range for a tensor
  kInverse,  // FakeQuantWithMinMaxVarsPerChannel, FakeQuantWithMinMaxArgs: times the inverse
};

struct FakeQuantizationRange {
  float min = 0.0F;
  float max = 0.0F;
  std::int64_t num_bits = 8;
  bool narrow_range = false;  // without the lowest integer
};

// A range whose zero point was moved to a whole number. A real number becomes
//
//   floor((clip(x, low, high) - low) / scale + lowest + 0.5) * scale
//
// with each operation in float32: bit for bit what TensorFlow computes.
class FakeQuantization {
 public:
  // INVALID_ARGUMENT unless the range is finite, not too narrow for float32 and its min is below
  // its max (or both are 0: then all numbers become 0), and the bits are 2 to 16.
  static absl::StatusOr<FakeQuantization> Make(const FakeQuantizationRange& range,
                                               FakeQuantizationStep step);

  // The whole number of steps that `x` becomes, from lowest() to highest(); NaN stays NaN.
  [[nodiscard]] float Steps(float x) const {
    const bool is_nan = std::isnan(x);
    const float shifted = std::clamp(is_nan ? 0.0F : x, low_, high_) - low_;
    const float steps = divides_ ? shifted / scale_ : shifted * inverse_;
    const float raised = steps + lowest_ + 0.5F;
    // std::floor is a call; these numbers are small.
    const auto cut = static_cast<float>(static_cast<std::int32_t>(raised));
    return is_nan ? x : cut - (cut > raised ? 1.0F : 0.0F);
  }
  [[nodiscard]] float Apply(float x) const { return Steps(x) * scale_; }

  [[nodiscard]] float scale() const { return scale_; }
  [[nodiscard]] std::int32_t lowest() const { return static_cast<std::int32_t>(lowest_); }
  [[nodiscard]] std::int32_t highest() const { return highest_; }

 private:
  FakeQuantization() = default;

  float low_ = 0.0F;
  float high_ = 0.0F;
  float scale_ = 1.0F;
  float inverse_ = 1.0F;
  float lowest_ = 0.0F;
  std::int32_t highest_ = 0;
  bool divides_ = true;
};

}  // namespace octet
