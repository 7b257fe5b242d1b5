// SPDX-License-Identifier: Apache-2.0
// Whose arithmetic a model of TensorFlow Lite follows: kernels of several kinds run the format, and
// round differently.

#pragma once

#include <array>
#include <string>

#include "absl/strings/string_view.h"

namespace octet::tflite {

// The names that ImportOptions::profile may have; the first one is the default.
inline constexpr std::array<absl::string_view, 3> kProfiles = {
    "tflite-reference",        // TensorFlow Lite Micro's: fixed point, rounded twice
    "tflite-single-rounding",  // the same built with TFLITE_SINGLE_ROUNDING
    "xnnpack",                 // the delegate that TensorFlow Lite takes on most machines: float32
};

class Profile {
 public:
  // Precondition: empty, or one of kProfiles.
  explicit Profile(absl::string_view name) : name_(name.empty() ? kProfiles[0] : name) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  // Whether integers are multiplied by real numbers in fixed point.
  [[nodiscard]] bool is_fixed_point() const { return name_ != kProfiles[2]; }
  // The attribute `requantization` of nodes that multiply integers.
  [[nodiscard]] std::string requantization() const {
    if (!is_fixed_point()) return "float32";
    return name_ == kProfiles[0] ? "fixed" : "fixed_single";
  }
  // The attribute `formula` of a FixedPointLstm. XNNPACK leaves it to LiteRT's kernel, which rounds
  // twice.
  [[nodiscard]] std::string lstm_formula() const { return is_fixed_point() ? "micro" : "litert"; }
  [[nodiscard]] std::string lstm_requantization() const {
    return is_fixed_point() ? requantization() : "fixed";
  }
  // Whose arithmetic int16 activations follow, which XNNPACK leaves to TensorFlow Lite's kernels.
  [[nodiscard]] Profile OfInt16() const { return is_fixed_point() ? *this : Profile(kProfiles[0]); }

 private:
  std::string name_;
};

}  // namespace octet::tflite
