// SPDX-License-Identifier: Apache-2.0
#include "models/quality/agreement.h"

#include <cmath>

namespace octet {

std::size_t TopClass(std::span<const float> scores) {
  std::size_t top = 0;
  for (std::size_t i = 1; i < scores.size(); ++i) {
    const bool larger =
        scores[i] > scores[top] || (std::isnan(scores[top]) && !std::isnan(scores[i]));
    if (larger) top = i;
  }
  return top;
}

double Top1Accuracy(std::span<const float> scores, std::span<const std::int64_t> labels) {
  if (labels.empty()) return 0.0;
  const std::size_t width = scores.size() / labels.size();
  std::size_t right = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto top = static_cast<std::int64_t>(TopClass(scores.subspan(row * width, width)));
    right += top == labels[row] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

double Top1Agreement(std::span<const float> a, std::span<const float> b, std::size_t width) {
  const std::size_t rows = a.size() / width;
  if (rows == 0) return 1.0;
  std::size_t same = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    same +=
        TopClass(a.subspan(row * width, width)) == TopClass(b.subspan(row * width, width)) ? 1 : 0;
  }
  return static_cast<double>(same) / static_cast<double>(rows);
}

}  // namespace octet
