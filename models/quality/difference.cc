// SPDX-License-Identifier: Apache-2.0
#include "models/quality/difference.h"

#include <cmath>
#include <cstddef>
#include <limits>

namespace octet {

namespace {

double AbsDifference(float a, float b) {
  return std::abs(static_cast<double>(a) - static_cast<double>(b));
}

}  // namespace

double MaxAbsDifference(std::span<const float> expected, std::span<const float> actual) {
  double largest = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = AbsDifference(expected[i], actual[i]);
    if (std::isnan(difference)) return difference;
    largest = std::fmax(largest, difference);
  }
  return largest;
}

double MeanAbsDifference(std::span<const float> expected, std::span<const float> actual) {
  if (expected.empty()) return 0.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) sum += AbsDifference(expected[i], actual[i]);
  return sum / static_cast<double>(expected.size());
}

double SqnrDecibels(std::span<const float> expected, std::span<const float> actual) {
  double signal = 0.0;
  double noise = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = AbsDifference(expected[i], actual[i]);
    signal += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
    noise += difference * difference;
  }
  if (noise == 0.0) return std::numeric_limits<double>::infinity();
  return 10.0 * std::log10(signal / noise);
}

}  // namespace octet
