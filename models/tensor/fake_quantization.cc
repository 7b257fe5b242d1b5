// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/fake_quantization.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace octet {

absl::StatusOr<FakeQuantization> FakeQuantization::Make(const FakeQuantizationRange& range,
                                                        FakeQuantizationStep step) {
  constexpr std::int64_t kFewestBits = 2;
  constexpr std::int64_t kMostBits = 16;
  if (range.num_bits < kFewestBits || range.num_bits > kMostBits) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", range.num_bits, " bits, wants ", kFewestBits, " to ", kMostBits));
  }
  FakeQuantization result;
  result.divides_ = step == FakeQuantizationStep::kDivide;
  if (range.min == 0.0F && range.max == 0.0F) return result;
  const float first = range.narrow_range ? 1.0F : 0.0F;
  const auto last = static_cast<float>((std::int64_t{1} << range.num_bits) - 1);
  result.scale_ = (range.max - range.min) / (last - first);
  result.inverse_ = (last - first) / (range.max - range.min);
  if (!std::isfinite(range.min) || !std::isfinite(range.max) || !std::isfinite(result.inverse_) ||
      !std::isfinite(result.scale_) || !(result.scale_ > 0.0F)) {
    return absl::InvalidArgumentError(absl::StrCat("got the range from ", range.min, " to ",
                                                   range.max,
                                                   ", wants finite numbers, the first one less"));
  }
  const float zero_point = std::clamp(std::round(first - range.min / result.scale_), first, last);
  result.low_ = (first - zero_point) * result.scale_;
  result.high_ = (last - zero_point) * result.scale_;
  result.lowest_ = first - zero_point;
  result.highest_ = static_cast<std::int32_t>(last - zero_point);
  return result;
}

}  // namespace octet
