// SPDX-License-Identifier: Apache-2.0
// How often two sets of answers name the same class. Scores lie row after row.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace octet {

// The place of the largest score, the first of equal ones; 0 if there is none. A NaN is smaller
// than any number.
std::size_t TopClass(std::span<const float> scores);

// The share of rows whose top class is the label, in [0, 1]; 0 without labels. Precondition:
// `scores` has a whole number of rows, one for each label.
double Top1Accuracy(std::span<const float> scores, std::span<const std::int64_t> labels);

// The share of rows of `width` scores with the same top class in `a` and `b`; 1 without rows.
// Precondition: both have the same size, a multiple of `width` > 0.
double Top1Agreement(std::span<const float> a, std::span<const float> b, std::size_t width);

}  // namespace octet
