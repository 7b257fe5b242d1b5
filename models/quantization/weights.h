// SPDX-License-Identifier: Apache-2.0
// Float weights to integers: pure functions. A weight is a matrix of `rows` inputs by `columns`
// outputs, row-major, as Keras stores it; each column has scales of its own.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace octet {

// What `scale` means (docs/operators.md).
enum class WeightConvention {
  kReciprocal,  // w = q / scale, with scale = limit / (max|w| + 1e-7): Keras's arithmetic
  kMultiply,    // w = q * scale, with scale = max|w| / limit
};

struct ChannelWeights {
  std::vector<std::int8_t> values;  // as the weight; in [-limit, limit]
  std::vector<float> scale;         // one a column; finite and above 0
};

// Symmetric, one scale a column, rounded half to even. `limit` is 127 or 7. With kMultiply no scale
// is below that of `lowest_scale` (one a column, or empty). Precondition: all weights are finite.
ChannelWeights QuantizeByColumn(std::span<const float> weight, std::size_t columns, int limit,
                                WeightConvention convention,
                                std::span<const float> lowest_scale = {});

// The same with one scale a row of `columns` elements: embeddings.
ChannelWeights QuantizeByRow(std::span<const float> weight, std::size_t columns, int limit);

struct GroupedWeights {
  std::vector<std::int8_t> values;      // as the weight; in [-8, 7]
  std::vector<float> scale;             // [groups, columns]
  std::vector<std::int8_t> zero_point;  // [groups, columns]
};

// Asymmetric 4-bit: w = (q - zero_point) * scale with one pair for each column and each
// `group_size` rows (fewer in the last group). The range of a group always holds 0: without that,
// as in Keras, a group of one sign would lose its largest values.
GroupedWeights QuantizeByGroup(std::span<const float> weight, std::size_t columns,
                               std::size_t group_size);

// Values of [-8, 7], two a byte along rows of `row_size`, the first in the low nibble; a row of odd
// length ends with a zero nibble.
std::vector<std::int8_t> PackNibbles(std::span<const std::int8_t> values, std::size_t row_size);

}  // namespace octet
