// SPDX-License-Identifier: Apache-2.0
// Integers of 2 or 4 bits, several to a byte, and their arrangement.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/tensor/tensor.h"

namespace octet::keras {

// The elements of `packed` (int8 or uint8), one a byte, row-major, in the shape of `packed` with
// `length` elements along `axis`; the lowest bits of a byte are the first element.
// Precondition: bits is 2, 4 or 8, and the bytes hold `length` elements.
std::vector<std::int8_t> Unpack(const ConstantTensor& packed, int bits, std::size_t axis,
                                std::int64_t length, bool is_signed);

// A matrix of 4-bit elements, packed along its rows. Precondition: type is kInt4 or kUint4.
ConstantTensor PackMatrix(DataType type, std::int64_t num_rows, std::int64_t num_columns,
                          std::span<const std::int8_t> elements);

// `elements` of shape `dims` with its axes in the order of `permutation`.
template <typename T>
std::vector<T> Permuted(std::span<const T> elements, const Dims& dims,
                        const std::vector<std::size_t>& permutation) {
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  std::vector<T> result;
  result.reserve(elements.size());
  Dims index(dims.size(), 0);
  while (result.size() < elements.size()) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < permutation.size(); ++i) {
      offset += index[i] * strides[permutation[i]];
    }
    result.push_back(elements[static_cast<std::size_t>(offset)]);
    for (std::size_t i = permutation.size(); i-- > 0;) {
      if (++index[i] < dims[permutation[i]]) break;
      index[i] = 0;
    }
  }
  return result;
}

}  // namespace octet::keras
