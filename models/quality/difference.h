// SPDX-License-Identifier: Apache-2.0
// How far `actual` is from `expected`, element by element. Precondition of all: the same size.

#pragma once

#include <span>

namespace octet {

// The largest and the mean |actual - expected|; 0 without elements, NaN if one is.
double MaxAbsDifference(std::span<const float> expected, std::span<const float> actual);
double MeanAbsDifference(std::span<const float> expected, std::span<const float> actual);

// Signal to quantization noise in decibels: 10 log10(sum expected^2 / sum (actual - expected)^2).
// Infinite where there is no noise.
double SqnrDecibels(std::span<const float> expected, std::span<const float> actual);

}  // namespace octet
