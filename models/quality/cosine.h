// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <span>

namespace octet {

// The cosine of the angle between `a` and `b`: 1 if both are zero, 0 if just one is. Precondition:
// both have the same size.
double CosineSimilarity(std::span<const float> a, std::span<const float> b);

// The mean over rows of `width` elements; 1 without rows. Precondition: both have the same size, a
// multiple of `width` > 0.
double MeanCosineSimilarity(std::span<const float> a, std::span<const float> b, std::size_t width);

}  // namespace octet
