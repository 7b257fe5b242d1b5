// SPDX-License-Identifier: Apache-2.0

#include "models/operators/resize_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

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

class TableMaker {
 public:
  TableMaker(const ResizeRule& rule, const ResizeAxis& axis) : rule_(rule), axis_(axis) {
    table_.sums.reserve(static_cast<std::size_t>(axis.out));
  }

  ResizeTable Make() {
    const bool is_unchanged = IsUnchanged(rule_, axis_);
    const bool crops = rule_.coordinates == ResizeCoordinates::kTfCropAndResize;
    for (std::int64_t out = 0; out < axis_.out; ++out) {
      const double position = InputPosition(rule_, axis_, out);
      if (is_unchanged) {
        AddOne(static_cast<double>(out));
      } else if (crops && !IsInside(axis_, position)) {
        table_.sums.push_back({});
      } else if (rule_.kernel == ResizeKernel::kNearest) {
        AddOne(Nearest(rule_.rounding, position));
      } else {
        AddSum(position);
      }
    }
    return std::move(table_);
  }

 private:
  [[nodiscard]] std::int64_t Clamped(double position) const {
    return static_cast<std::int64_t>(std::clamp(position, 0.0, static_cast<double>(axis_.in - 1)));
  }

  void AddOne(double position) {
    table_.sums.push_back({Clamped(position), 1, table_.weights.size()});
    table_.weights.push_back(1);
  }

  [[nodiscard]] double Weight(double distance) const {
    return rule_.kernel == ResizeKernel::kLinear ? LinearWeight(distance)
                                                 : CubicWeight(distance, rule_.cubic_coefficient);
  }

  // Over all positions under the kernel around `position`; those beyond an edge count as the edge.
  void AddSum(double position) {
    const double stretch = rule_.antialias ? std::min(axis_.factor, 1.0) : 1.0;
    const double radius = (rule_.kernel == ResizeKernel::kLinear ? 1 : 2) / stretch;
    const double first = std::floor(position - radius) + 1;
    const double last = std::ceil(position + radius) - 1;
    const std::int64_t begin = Clamped(first);
    sum_.assign(static_cast<std::size_t>(Clamped(last) - begin + 1), 0.0);
    double total = 0;
    for (double at = first; at <= last; ++at) {
      const std::int64_t inside = Clamped(at);
      if (rule_.exclude_outside && static_cast<double>(inside) != at) continue;
      const double weight = Weight((at - position) * stretch);
      sum_[static_cast<std::size_t>(inside - begin)] += weight;
      total += weight;
    }
    const bool is_uneven = (rule_.antialias || rule_.exclude_outside) && total != 0;
    table_.sums.push_back({begin, static_cast<std::int64_t>(sum_.size()), table_.weights.size()});
    for (const double weight : sum_) {
      table_.weights.push_back(static_cast<float>(is_uneven ? weight / total : weight));
    }
  }

  const ResizeRule rule_;
  const ResizeAxis axis_;
  ResizeTable table_;
  std::vector<double> sum_;
};

}  // namespace

ResizeTable MakeResizeTable(const ResizeRule& rule, const ResizeAxis& axis) {
  return TableMaker(rule, axis).Make();
}

}  // namespace octet
