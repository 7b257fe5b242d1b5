// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/packed_integers.h"

#include <cstddef>

namespace octet::keras {

std::vector<std::int8_t> Unpack(const ConstantTensor& packed, int bits, std::size_t axis,
                                std::int64_t length, bool is_signed) {
  const std::span<const std::byte> bytes = packed.bytes();
  std::int64_t outer = 1;
  std::int64_t inner = 1;
  for (std::size_t i = 0; i < packed.dims().size(); ++i) {
    if (i < axis) outer *= packed.dims()[i];
    if (i > axis) inner *= packed.dims()[i];
  }
  const std::int64_t packed_length = packed.dims()[axis];
  const std::int64_t per_byte = 8 / bits;
  const unsigned mask = (1U << bits) - 1U;
  const unsigned sign = 1U << (bits - 1);
  std::vector<std::int8_t> elements(static_cast<std::size_t>(outer * length * inner));
  std::size_t next = 0;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < length; ++i) {
      const std::int64_t row = (o * packed_length + i / per_byte) * inner;
      const auto shift = static_cast<unsigned>(i % per_byte * bits);
      for (std::int64_t j = 0; j < inner; ++j) {
        const unsigned byte = std::to_integer<unsigned>(bytes[static_cast<std::size_t>(row + j)]);
        const unsigned value = (byte >> shift) & mask;
        // Two's complement of `bits` bits.
        const int extended = is_signed ? static_cast<int>(value ^ sign) - static_cast<int>(sign)
                                       : static_cast<int>(value);
        elements[next++] = static_cast<std::int8_t>(extended);
      }
    }
  }
  return elements;
}

ConstantTensor PackMatrix(DataType type, std::int64_t num_rows, std::int64_t num_columns,
                          std::span<const std::int8_t> elements) {
  const auto columns = static_cast<std::size_t>(num_columns);
  const std::size_t row_bytes = (columns + 1) / 2;
  std::vector<std::byte> bytes(static_cast<std::size_t>(num_rows) * row_bytes);
  for (std::size_t row = 0; row < static_cast<std::size_t>(num_rows); ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      const auto nibble =
          static_cast<std::byte>(static_cast<unsigned>(elements[row * columns + column]) & 0xfU);
      bytes[row * row_bytes + column / 2] |= column % 2 == 0 ? nibble : nibble << 4;
    }
  }
  return ConstantTensor::Copy(type, {num_rows, num_columns}, bytes);
}

}  // namespace octet::keras
