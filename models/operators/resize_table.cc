// SPDX-License-Identifier: Apache-2.0

#include "models/operators/resize_table.h"

#include <algorithm>
#include <cmath>

namespace octet {
namespace {

// A factor is known to a float's precision, and so is a position that follows from it.
constexpr double kPrecision = 2e-7;

bool IsUnchanged(const ResizeRule& rule, const ResizeAxis& axis) {
  const bool is_whole =
      rule.coordinates != ResizeCoordinates::kTfCropAndResize || (axis.start == 0 && axis.end == 1);
  return axis.in == axis.out && axis.factor == 1 && is_whole;
}

// How far it is from one output position to the next where the first and the last of both lie on
// each other.
double CornerStep(const ResizeAxis& axis) {
  return axis.out == 1 ? 0 : static_cast<double>(axis.in - 1) / static_cast<double>(axis.out - 1);
}

double CropPosition(const ResizeAxis& axis, double out) {
  const auto last = static_cast<double>(axis.in - 1);
  if (axis.out == 1) return 0.5 * (axis.start + axis.end) * last;
  return axis.start * last + out * (axis.end - axis.start) * CornerStep(axis);
}

// Where output position `position` lies in the input.
double InputPosition(const ResizeRule& rule, const ResizeAxis& axis, std::int64_t position) {
  const auto out = static_cast<double>(position);
  const double half_pixel = (out + 0.5) / axis.factor - 0.5;
  switch (rule.coordinates) {
    case ResizeCoordinates::kHalfPixel:
      return half_pixel;
    case ResizeCoordinates::kHalfPixelSymmetric: {
      const auto in = static_cast<double>(axis.in);
      return in / 2 * (1 - static_cast<double>(axis.out) / (axis.factor * in)) + half_pixel;
    }
    case ResizeCoordinates::kPytorchHalfPixel:
      return axis.out == 1 ? 0 : half_pixel;
    case ResizeCoordinates::kAlignCorners:
      return out * CornerStep(axis);
    case ResizeCoordinates::kAsymmetric:
      return out / axis.factor;
    case ResizeCoordinates::kTfHalfPixelForNn:
      return (out + 0.5) / axis.factor;
    case ResizeCoordinates::kTfCropAndResize:
      return CropPosition(axis, out);
  }
  return 0;
}

bool IsInside(const ResizeAxis& axis, double position) {
  const auto last = static_cast<double>(axis.in - 1);
  const double slack = kPrecision * (last + 1);
  return position >= -slack && position <= last + slack;
}

// `position` as the half or whole number that it would be without rounding.
double Snapped(double position) {
  const double half = std::round(2 * position) / 2;
  return std::abs(position - half) <= kPrecision * (std::abs(half) + 1) ? half : position;
}

double Nearest(ResizeRounding rounding, double position) {
  const double snapped = Snapped(position);
  switch (rounding) {
    case ResizeRounding::kRoundPreferFloor:
      return std::ceil(snapped - 0.5);
    case ResizeRounding::kRoundPreferCeil:
      return std::floor(snapped + 0.5);
    case ResizeRounding::kFloor:
      return std::floor(snapped);
    case ResizeRounding::kCeil:
      return std::ceil(snapped);
  }
  return 0;
}

double LinearWeight(double distance) { return std::max(1 - std::abs(distance), 0.0); }

// R. Keys, "Cubic convolution interpolation for digital image processing", equation (4).
double CubicWeight(double distance, double a) {
  const double x = std::abs(distance);
  if (x >= 2) return 0;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

// How wide the kernel is, to each side.
double Radius(const ResizeRule& rule, double stretch) {
  return (rule.kernel == ResizeKernel::kLinear ? 1 : 2) / stretch;
}

double Stretch(const ResizeRule& rule, const ResizeAxis& axis) {
  return rule.antialias ? std::min(axis.factor, 1.0) : 1.0;
}

// The most input positions that make one of the output.
std::size_t MostTerms(const ResizeRule& rule, const ResizeAxis& axis) {
  if (rule.kernel == ResizeKernel::kNearest) return 1;
  const double width = std::ceil(2 * Radius(rule, Stretch(rule, axis))) + 1;
  return static_cast<std::size_t>(std::min(width, static_cast<double>(axis.in)));
}

class TableMaker {
 public:
  TableMaker(const ResizeRule& rule, const ResizeAxis& axis, float* weights)
      : rule_(rule), axis_(axis), stretch_(Stretch(rule, axis)), weights_(weights) {}

  void Make(ResizeSum* sums) {
    const bool is_unchanged = IsUnchanged(rule_, axis_);
    const bool crops = rule_.coordinates == ResizeCoordinates::kTfCropAndResize;
    for (std::int64_t out = 0; out < axis_.out; ++out) {
      const double position = InputPosition(rule_, axis_, out);
      ResizeSum& sum = sums[out];
      if (is_unchanged) {
        sum = One(static_cast<double>(out));
      } else if (crops && !IsInside(axis_, position)) {
        sum = {};
      } else if (rule_.kernel == ResizeKernel::kNearest) {
        sum = One(Nearest(rule_.rounding, position));
      } else {
        sum = Around(position);
      }
    }
  }

 private:
  [[nodiscard]] std::int64_t Clamped(double position) const {
    return static_cast<std::int64_t>(std::clamp(position, 0.0, static_cast<double>(axis_.in - 1)));
  }

  ResizeSum One(double position) {
    *weights_ = 1;
    return {Clamped(position), 1, weights_++};
  }

  // Of the input position `at` for an output position that lies at `position`.
  [[nodiscard]] double Weight(double at, double position) const {
    if (rule_.exclude_outside && static_cast<double>(Clamped(at)) != at) return 0;
    const double distance = (at - position) * stretch_;
    return rule_.kernel == ResizeKernel::kLinear ? LinearWeight(distance)
                                                 : CubicWeight(distance, rule_.cubic_coefficient);
  }

  // All positions under the kernel around `position`; those beyond an edge count as the edge.
  ResizeSum Around(double position) {
    const double radius = Radius(rule_, stretch_);
    const double first = std::floor(position - radius) + 1;
    const double last = std::ceil(position + radius) - 1;
    double total = 0;
    for (double at = first; at <= last; ++at) total += Weight(at, position);
    const bool is_uneven = (rule_.antialias || rule_.exclude_outside) && total != 0;
    ResizeSum sum = {Clamped(first), Clamped(last) - Clamped(first) + 1, weights_};
    double at = first;
    for (std::int64_t i = sum.first; i < sum.first + sum.count; ++i) {
      double weight = 0;
      for (; at <= last && Clamped(at) == i; ++at) weight += Weight(at, position);
      *weights_++ = static_cast<float>(is_uneven ? weight / total : weight);
    }
    return sum;
  }

  const ResizeRule& rule_;
  const ResizeAxis& axis_;
  const double stretch_;
  float* weights_;
};

}  // namespace

std::size_t ResizeTableByteSize(const ResizeRule& rule, const ResizeAxis& axis) {
  const auto out = static_cast<std::size_t>(axis.out);
  const std::size_t num_weights = out * MostTerms(rule, axis);
  return out * sizeof(ResizeSum) + (num_weights + num_weights % 2) * sizeof(float);
}

std::span<const ResizeSum> MakeResizeTable(const ResizeRule& rule, const ResizeAxis& axis,
                                           std::span<std::byte> memory) {
  const auto out = static_cast<std::size_t>(axis.out);
  auto* const sums = reinterpret_cast<ResizeSum*>(memory.data());
  auto* const weights = reinterpret_cast<float*>(memory.data() + out * sizeof(ResizeSum));
  TableMaker(rule, axis, weights).Make(sums);
  return {sums, out};
}

}  // namespace octet
