// SPDX-License-Identifier: Apache-2.0
#include "kernels/validation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace octet::kernels {
namespace {

constexpr std::int64_t kMaxS32 = std::numeric_limits<std::int32_t>::max();

constexpr std::string_view kTermsOfOutput = "the number of values that an output sees";

std::string WrongSize(std::string_view name, std::size_t got, std::size_t wanted) {
  return std::string(name) + " holds " + std::to_string(got) + " values, wants " +
         std::to_string(wanted);
}

// a * b, or 0 where that overflows; sizes here are all at least 1.
std::size_t Product(std::size_t a, std::size_t b) {
  std::size_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? 0 : product;
}

std::string CheckOptionalSize(std::string_view name, std::size_t got, std::size_t wanted) {
  return got == 0 || got == wanted ? "" : WrongSize(name, got, wanted);
}

// T is float or double.
template <typename T>
std::string CheckScales(std::string_view name, std::span<const T> scale, std::size_t wanted,
                        bool may_be_zero = false) {
  if (scale.size() != wanted) return WrongSize(name, scale.size(), wanted);
  const auto is_bad = [may_be_zero](T s) {
    return !std::isfinite(s) || (s == T{0} && !may_be_zero);
  };
  const auto bad = std::find_if(scale.begin(), scale.end(), is_bad);
  if (bad == scale.end()) return "";
  return std::string(name) + "[" + std::to_string(bad - scale.begin()) + "] is " +
         std::to_string(*bad) + ", wants a finite number other than 0";
}

std::string CheckZeroPoint(std::string_view name, ZeroPoint zero_point) {
  if (zero_point.value >= -128 && zero_point.value <= 127) return "";
  return std::string(name) + " is " + std::to_string(zero_point.value) + ", wants [-128, 127]";
}

std::string CheckFixed(std::span<const FixedPointScale> fixed, std::size_t wanted) {
  if (fixed.size() != wanted) return WrongSize("fixed", fixed.size(), wanted);
  for (const FixedPointScale& scale : fixed) {
    if (scale.multiplier < 0 || scale.shift < 1 || scale.shift > 62) {
      return "a fixed-point scale has the multiplier " + std::to_string(scale.multiplier) +
             " and the shift " + std::to_string(scale.shift) +
             ", wants 0 or more, and a shift of 1 to 62";
    }
  }
  return "";
}

std::string CheckEpilogue(const Epilogue& epilogue, std::size_t n, bool has_group_scales) {
  std::string error = CheckOptionalSize("bias_s32", epilogue.bias_s32.size(), n);
  if (!error.empty()) return error;
  error = CheckOptionalSize("bias_f32", epilogue.bias_f32.size(), n);
  if (!error.empty()) return error;
  switch (epilogue.kind) {
    case EpilogueKind::kNone:
      return "";
    case EpilogueKind::kDynamic:
      if (!epilogue.bias_s32.empty()) return "a dynamic epilogue takes bias_f32, not bias_s32";
      if (has_group_scales) return "";
      return CheckScales("weight_scale", epilogue.weight_scale, n);
    case EpilogueKind::kStatic:
    case EpilogueKind::kStaticFixed:
      if (epilogue.lo < -128 || epilogue.lo > epilogue.hi || epilogue.hi > 127) {
        return "the result's bounds are [" + std::to_string(epilogue.lo) + ", " +
               std::to_string(epilogue.hi) + "], wants a range inside [-128, 127]";
      }
      error = CheckZeroPoint("the result's zero point", epilogue.out_zero_point);
      if (!error.empty()) return error;
      [[fallthrough]];
    case EpilogueKind::kStaticFloat:
      if (!epilogue.bias_f32.empty()) return "a static epilogue takes bias_s32, not bias_f32";
      if (epilogue.kind == EpilogueKind::kStaticFixed) return CheckFixed(epilogue.fixed, n);
      return CheckScales("multiplier", epilogue.multiplier, n);
  }
  return "unknown epilogue";
}

std::string CheckEpilogueS16(const EpilogueS16& epilogue, std::size_t n) {
  if (epilogue.kind != EpilogueKind::kStatic && epilogue.kind != EpilogueKind::kStaticFloat) {
    return "int16 inputs want a static epilogue";
  }
  std::string error = CheckOptionalSize("bias", epilogue.bias.size(), n);
  if (!error.empty()) return error;
  if (epilogue.lo < -32768 || epilogue.lo > epilogue.hi || epilogue.hi > 32767) {
    return "the result's bounds are [" + std::to_string(epilogue.lo) + ", " +
           std::to_string(epilogue.hi) + "], wants a range inside [-32768, 32767]";
  }
  return CheckScales("multiplier", epilogue.multiplier, n, epilogue.rounding == HalfRounding::kUp);
}

// Whether sums of int16 inputs times weights of that magnitude, and the bias, are exact in float64,
// and times a multiplier of 15 bits where that is to be.
std::string CheckColumnS16(std::size_t j, std::size_t magnitude, const EpilogueS16& epilogue) {
  const std::span<const std::int64_t> bias = epilogue.bias;
  const int bits = epilogue.rounding == HalfRounding::kUp ? 38 : 53;
  const std::uint64_t most = std::uint64_t{1} << bits;
  // Of a bias of -2^63 as well.
  const std::uint64_t bias_size = bias.empty()
                                      ? 0
                                      : (bias[j] < 0 ? 0 - static_cast<std::uint64_t>(bias[j])
                                                     : static_cast<std::uint64_t>(bias[j]));
  if (magnitude <= most / 32768 && bias_size <= most - magnitude * 32768) return "";
  return "output channel " + std::to_string(j) + " may reach beyond 2^" + std::to_string(bits) +
         ": its weights sum to " + std::to_string(magnitude) + ", its bias is " +
         std::to_string(bias_size);
}

// The largest |lhs - zero_point| of an int8 lhs.
std::int64_t LargestInput(ZeroPoint zero_point) {
  return std::max(128 + std::int64_t{zero_point.value}, 127 - std::int64_t{zero_point.value});
}

std::string CheckColumn(std::size_t j, std::int64_t magnitude, std::int64_t largest_input,
                        std::span<const std::int32_t> bias) {
  const std::int64_t bias_size = bias.empty() ? 0 : std::abs(std::int64_t{bias[j]});
  if (magnitude * largest_input + bias_size <= kMaxS32) return "";
  return "output channel " + std::to_string(j) + " may overflow int32: its weights sum to " +
         std::to_string(magnitude) + ", its bias is " + std::to_string(bias_size);
}

std::int64_t ZeroOf(std::span<const std::int8_t> zero_point, std::size_t index) {
  return zero_point.empty() ? 0 : zero_point[index];
}

std::string CheckMatrix(std::size_t k, std::size_t n, std::size_t got) {
  if (k == 0 || n == 0) return "k and n are at least 1";
  const std::size_t wanted = Product(k, n);
  return wanted != 0 && got == wanted ? "" : WrongSize("weight", got, wanted);
}

std::string CheckNumTerms(std::string_view name, std::size_t got) {
  if (got <= kMostTerms) return "";
  return std::string(name) + " is " + std::to_string(got) + ", wants at most " +
         std::to_string(kMostTerms);
}

std::string CheckNibbles(std::span<const std::int8_t> weight) {
  const auto outside = [](std::int8_t w) { return w < -8 || w > 15; };
  const auto bad = std::find_if(weight.begin(), weight.end(), outside);
  const auto [low, high] = std::minmax_element(weight.begin(), weight.end());
  if (bad == weight.end() && *high - *low <= 15) return "";
  return "4-bit weights reach from " + std::to_string(*low) + " to " + std::to_string(*high) +
         ", wants [-8, 7] or [0, 15]";
}

std::string CheckGeometry(const Conv2dGeometry& g, std::size_t filter_size) {
  for (const std::size_t size :
       {g.in_height, g.in_width, g.in_channels, g.kernel_height, g.kernel_width, g.out_channels,
        g.stride_height, g.stride_width, g.dilation_height, g.dilation_width, g.groups}) {
    if (size == 0) return "a size, stride or dilation of the convolution is 0";
    if (size > (std::size_t{1} << 31)) return "a size of the convolution is above 2^31";
  }
  for (const std::size_t pad : {g.pad_top, g.pad_left, g.pad_bottom, g.pad_right}) {
    if (pad > (std::size_t{1} << 31)) return "a padding of the convolution is above 2^31";
  }
  if (g.in_channels % g.groups != 0 || g.out_channels % g.groups != 0) {
    return std::to_string(g.groups) + " groups do not divide " + std::to_string(g.in_channels) +
           " input and " + std::to_string(g.out_channels) + " output channels";
  }
  const auto fits = [](std::size_t padded, std::size_t kernel, std::size_t dilation) {
    return (kernel - 1) * dilation + 1 <= padded;
  };
  if (!fits(g.in_height + g.pad_top + g.pad_bottom, g.kernel_height, g.dilation_height) ||
      !fits(g.in_width + g.pad_left + g.pad_right, g.kernel_width, g.dilation_width)) {
    return "the convolution's kernel is larger than its padded input";
  }
  const std::size_t taps = Product(g.kernel_height, g.kernel_width);
  const std::size_t wanted = Product(Product(taps, g.in_channels / g.groups), g.out_channels);
  if (wanted == 0 || filter_size != wanted) return WrongSize("filter", filter_size, wanted);
  if (Product(Product(g.in_height, g.in_width), g.in_channels) == 0 ||
      Product(Product(g.OutHeight(), g.OutWidth()), g.out_channels) == 0) {
    return "an image of the convolution is too large";
  }
  return "";
}

}  // namespace

std::string CheckMatmulS8(const MatmulS8Spec& spec) {
  std::string error = CheckMatrix(spec.k, spec.n, spec.weight.size());
  if (error.empty()) error = CheckNumTerms("k", spec.k);
  if (error.empty()) error = CheckZeroPoint("the input's zero point", spec.lhs_zero_point);
  if (error.empty()) error = CheckEpilogue(spec.epilogue, spec.n, false);
  if (error.empty()) error = CheckOptionalSize("zero_point", spec.zero_point.size(), spec.n);
  for (std::size_t j = 0; error.empty() && j < spec.n; ++j) {
    const std::int64_t zero = ZeroOf(spec.zero_point, j);
    std::int64_t magnitude = 0;
    for (std::size_t p = 0; p < spec.k; ++p) {
      magnitude += std::abs(spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)] - zero);
    }
    error = CheckColumn(j, magnitude, LargestInput(spec.lhs_zero_point), spec.epilogue.bias_s32);
  }
  return error;
}

std::string CheckMatmulS8S4(const MatmulS8S4Spec& spec) {
  std::string error = CheckMatrix(spec.k, spec.n, spec.weight.size());
  if (!error.empty()) return error;
  error = CheckNibbles(spec.weight);
  if (!error.empty()) return error;
  const bool is_grouped = spec.group_size != 0;
  error = CheckEpilogue(spec.epilogue, spec.n, is_grouped);
  if (!error.empty()) return error;
  error = CheckZeroPoint("the input's zero point", spec.lhs_zero_point);
  if (!error.empty()) return error;
  if (is_grouped) {
    if (spec.epilogue.kind != EpilogueKind::kDynamic || spec.lhs_zero_point.value != 0 ||
        spec.epilogue.convention != ScaleConvention::kMultiply) {
      return "grouped 4-bit weights want a dynamic epilogue with multiplying "
             "scales";
    }
  } else if (!spec.scale.empty()) {
    return "scales by group were given without a group size";
  }
  const std::size_t group_size = is_grouped ? spec.group_size : spec.k;
  const std::size_t groups = (spec.k - 1) / group_size + 1;
  if (is_grouped) error = CheckScales("scale", spec.scale, groups * spec.n);
  if (!error.empty()) return error;
  error = CheckOptionalSize("zero_point", spec.zero_point.size(), groups * spec.n);
  if (!error.empty()) return error;
  for (std::size_t j = 0; j < spec.n; ++j) {
    std::int64_t magnitude = 0;
    for (std::size_t p = 0; p < spec.k; ++p) {
      const std::int64_t zero = ZeroOf(spec.zero_point, p / group_size * spec.n + j);
      const std::int64_t w = spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)] - zero;
      if (w < -128 || w > 127) {
        return "weight - zero_point is " + std::to_string(w) + ", wants [-128, 127]";
      }
      magnitude += std::abs(w);
    }
    error = CheckColumn(j, magnitude, LargestInput(spec.lhs_zero_point), spec.epilogue.bias_s32);
    if (!error.empty()) return error;
  }
  return "";
}

std::string CheckMatmulS16(const MatmulS16Spec& spec) {
  std::string error = CheckMatrix(spec.k, spec.n, spec.weight.size());
  if (error.empty()) error = CheckNumTerms("k", spec.k);
  if (error.empty()) error = CheckEpilogueS16(spec.epilogue, spec.n);
  for (std::size_t j = 0; error.empty() && j < spec.n; ++j) {
    std::size_t magnitude = 0;
    for (std::size_t p = 0; p < spec.k; ++p) {
      magnitude += static_cast<std::size_t>(
          std::abs(int{spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)]}));
    }
    error = CheckColumnS16(j, magnitude, spec.epilogue);
  }
  return error;
}

std::string CheckMatmulF32(const MatmulF32Spec& spec) {
  std::string error = CheckMatrix(spec.k, spec.n, spec.weight.size());
  return error.empty() ? CheckOptionalSize("bias", spec.bias.size(), spec.n) : error;
}

std::string CheckMatmulWeightOnly(const MatmulWeightOnlySpec& spec) {
  std::string error = CheckMatrix(spec.k, spec.n, spec.weight.size());
  if (!error.empty()) return error;
  if (spec.bits != 4 && spec.bits != 8) {
    return "weights of " + std::to_string(spec.bits) + " bits, wants 4 or 8";
  }
  if (spec.bits == 4) error = CheckNibbles(spec.weight);
  if (!error.empty()) return error;
  const std::size_t group_size = spec.group_size == 0 ? spec.k : spec.group_size;
  const std::size_t groups = (spec.k - 1) / group_size + 1;
  error = CheckScales("scale", spec.scale, groups * spec.n);
  if (!error.empty()) return error;
  error = CheckOptionalSize("zero_point", spec.zero_point.size(), groups * spec.n);
  return error.empty() ? CheckOptionalSize("bias", spec.bias.size(), spec.n) : error;
}

std::string CheckConv2dS8(const Conv2dS8Spec& spec) {
  const Conv2dGeometry& g = spec.geometry;
  std::string error = CheckGeometry(g, spec.filter.size());
  if (error.empty()) error = CheckNumTerms(kTermsOfOutput, spec.filter.size() / g.out_channels);
  if (error.empty()) error = CheckZeroPoint("the input's zero point", spec.in_zero_point);
  if (error.empty()) error = CheckEpilogue(spec.epilogue, g.out_channels, false);
  if (error.empty()) {
    error = CheckOptionalSize("filter_zero_point", spec.filter_zero_point.size(), g.out_channels);
  }
  for (std::size_t j = 0; error.empty() && j < g.out_channels; ++j) {
    const std::int64_t zero = ZeroOf(spec.filter_zero_point, j);
    std::int64_t magnitude = 0;
    for (std::size_t i = j; i < spec.filter.size(); i += g.out_channels) {
      magnitude += std::abs(spec.filter[i] - zero);
    }
    error = CheckColumn(j, magnitude, LargestInput(spec.in_zero_point), spec.epilogue.bias_s32);
  }
  return error;
}

std::string CheckConv2dS16(const Conv2dS16Spec& spec) {
  const Conv2dGeometry& g = spec.geometry;
  std::string error = CheckGeometry(g, spec.filter.size());
  if (error.empty()) error = CheckNumTerms(kTermsOfOutput, spec.filter.size() / g.out_channels);
  if (error.empty()) error = CheckEpilogueS16(spec.epilogue, g.out_channels);
  for (std::size_t j = 0; error.empty() && j < g.out_channels; ++j) {
    std::size_t magnitude = 0;
    for (std::size_t i = j; i < spec.filter.size(); i += g.out_channels) {
      magnitude += static_cast<std::size_t>(std::abs(int{spec.filter[i]}));
    }
    error = CheckColumnS16(j, magnitude, spec.epilogue);
  }
  return error;
}

std::string CheckConv2dF32(const Conv2dF32Spec& spec) {
  std::string error = CheckGeometry(spec.geometry, spec.filter.size());
  return error.empty() ? CheckOptionalSize("bias", spec.bias.size(), spec.geometry.out_channels)
                       : error;
}

}  // namespace octet::kernels
