// SPDX-License-Identifier: Apache-2.0
#include "models/quality/cosine.h"

#include <cmath>

namespace octet {

double CosineSimilarity(std::span<const float> a, std::span<const float> b) {
  double product = 0.0;
  double a_square = 0.0;
  double b_square = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]);
    const double y = static_cast<double>(b[i]);
    product += x * y;
    a_square += x * x;
    b_square += y * y;
  }
  if (a_square == 0.0 && b_square == 0.0) return 1.0;
  if (a_square == 0.0 || b_square == 0.0) return 0.0;
  return product / (std::sqrt(a_square) * std::sqrt(b_square));
}

double MeanCosineSimilarity(std::span<const float> a, std::span<const float> b, std::size_t width) {
  const std::size_t rows = a.size() / width;
  if (rows == 0) return 1.0;
  double sum = 0.0;
  for (std::size_t row = 0; row < rows; ++row) {
    sum += CosineSimilarity(a.subspan(row * width, width), b.subspan(row * width, width));
  }
  return sum / static_cast<double>(rows);
}

}  // namespace octet
