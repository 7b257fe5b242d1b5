// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/reference/reference.h"

namespace octet::kernels::reference {
namespace {

double Rounded(double value, HalfRounding rounding) {
  switch (rounding) {
    case HalfRounding::kEven:
      return std::nearbyint(value);
    case HalfRounding::kAway:
      return std::round(value);
    case HalfRounding::kUp:
      return std::floor(value + 0.5);
  }
  return value;
}

}  // namespace

OwnedEpilogue::OwnedEpilogue(const Epilogue& epilogue)
    : epilogue_(epilogue),
      bias_s32_(epilogue.bias_s32.begin(), epilogue.bias_s32.end()),
      weight_scale_(epilogue.weight_scale.begin(), epilogue.weight_scale.end()),
      bias_f32_(epilogue.bias_f32.begin(), epilogue.bias_f32.end()),
      multiplier_(epilogue.multiplier.begin(), epilogue.multiplier.end()),
      fixed_(epilogue.fixed.begin(), epilogue.fixed.end()) {
  epilogue_.bias_s32 = bias_s32_;
  epilogue_.weight_scale = weight_scale_;
  epilogue_.bias_f32 = bias_f32_;
  epilogue_.multiplier = multiplier_;
  epilogue_.fixed = fixed_;
}

void OwnedEpilogue::Store(std::int32_t acc, float row_scale, std::size_t j, std::size_t index,
                          const EpilogueOutput& out) const {
  const Epilogue& e = epilogue_;
  if (!e.bias_s32.empty()) acc += e.bias_s32[j];
  float y = static_cast<float>(acc);
  switch (e.kind) {
    case EpilogueKind::kNone:
      out.s32[index] = acc;
      return;
    case EpilogueKind::kDynamic:
      y = e.convention == ScaleConvention::kReciprocal ? y / (row_scale * e.weight_scale[j])
                                                       : y / row_scale * e.weight_scale[j];
      if (!e.bias_f32.empty()) y += e.bias_f32[j];
      break;
    case EpilogueKind::kStatic:
      out.s8[index] = static_cast<std::int8_t>(
          RoundAndClip(y * e.multiplier[j], e.out_zero_point.value, e.lo, e.hi));
      return;
    case EpilogueKind::kStaticFixed:
      out.s8[index] = static_cast<std::int8_t>(
          std::clamp(std::int64_t{MultiplyFixedPoint(acc, e.fixed[j])} + e.out_zero_point.value,
                     std::int64_t{e.lo}, std::int64_t{e.hi}));
      return;
    case EpilogueKind::kStaticFloat:
      y = y * e.multiplier[j];
      break;
  }
  ActivationF32(e.activation, std::span(&y, 1), out.f32.subspan(index, 1));
}

void OwnedEpilogue::StoreScaled(float sum, float row_scale, std::size_t j, std::size_t index,
                                const EpilogueOutput& out) const {
  float y = sum / row_scale;
  if (!epilogue_.bias_f32.empty()) y += epilogue_.bias_f32[j];
  ActivationF32(epilogue_.activation, std::span(&y, 1), out.f32.subspan(index, 1));
}

std::size_t OwnedEpilogue::ByteSize() const {
  return 4 * (bias_s32_.size() + weight_scale_.size() + bias_f32_.size() + multiplier_.size()) +
         sizeof(FixedPointScale) * fixed_.size();
}

OwnedEpilogueS16::OwnedEpilogueS16(const EpilogueS16& epilogue)
    : epilogue_(epilogue),
      bias_(epilogue.bias.begin(), epilogue.bias.end()),
      multiplier_(epilogue.multiplier.begin(), epilogue.multiplier.end()) {
  epilogue_.bias = bias_;
  epilogue_.multiplier = multiplier_;
}

void OwnedEpilogueS16::Store(std::int64_t acc, std::size_t j, std::size_t index,
                             const EpilogueS16Output& out) const {
  const EpilogueS16& e = epilogue_;
  if (!e.bias.empty()) acc += e.bias[j];
  const double real = static_cast<double>(acc) * e.multiplier[j];
  if (e.kind == EpilogueKind::kStatic) {
    // Clipped first: the bounds are integers, and beyond them half is lost.
    const double clipped = std::clamp<double>(real, e.lo, e.hi);
    out.s16[index] = static_cast<std::int16_t>(Rounded(clipped, e.rounding));
    return;
  }
  const auto y = static_cast<float>(real);
  ActivationF32(e.activation, std::span(&y, 1), out.f32.subspan(index, 1));
}

}  // namespace octet::kernels::reference
