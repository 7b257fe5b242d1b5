// SPDX-License-Identifier: Apache-2.0
// Which positions of an axis make those of the same axis in another size, and how much of each.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace octet {

enum class ResizeKernel { kNearest, kLinear, kCubic };

// Where an output position lies in the input, as ONNX calls these ways.
enum class ResizeCoordinates {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixelForNn,
  kTfCropAndResize,
};

// Which of two positions is the nearest one.
enum class ResizeRounding { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };

struct ResizeRule {
  ResizeKernel kernel = ResizeKernel::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kHalfPixel;
  ResizeRounding rounding = ResizeRounding::kRoundPreferCeil;
  double cubic_coefficient = -0.75;
  bool exclude_outside = false;  // what lies beyond the edge counts nothing, not as the edge
  bool antialias = false;        // a kernel as wide as what becomes one pixel
};

// Sizes from 1 to kMaxSize. `factor` is what out / in was before `out` became a whole number: in *
// factor is at least 1/2 and less than 1 away from `out`, so that a table's length is a multiple
// of in + out at most.
struct ResizeAxis {
  static constexpr std::int64_t kMaxSize = std::int64_t{1} << 20;

  std::int64_t in = 1;
  std::int64_t out = 1;
  double factor = 1;
  double start = 0;  // the part of the input that kTfCropAndResize takes: 0 to 1 is all of it
  double end = 1;
};

// An output position: the sum over `count` input positions from `first`, times their weights. With
// a count of 0 it lies outside the input.
struct ResizeSum {
  std::int64_t first = 0;
  std::int64_t count = 0;
  const float* weights = nullptr;
};

// Bytes of memory for the sums of an axis and their weights, a multiple of 8.
std::size_t ResizeTableByteSize(const ResizeRule& rule, const ResizeAxis& axis);
// The sum for each output position, in `memory`, which has that many bytes and lies at a multiple
// of 8. Allocates nothing.
std::span<const ResizeSum> MakeResizeTable(const ResizeRule& rule, const ResizeAxis& axis,
                                           std::span<std::byte> memory);

}  // namespace octet
