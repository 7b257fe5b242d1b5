// SPDX-License-Identifier: Apache-2.0
// A quantized weight as one thing: its data and what its numbers mean.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/tensor/tensor.h"

namespace octet {

enum class ScaleConvention : std::uint8_t {
  kMultiply,    // real = (q - zero_point) * scale
  kReciprocal,  // real = q / scale (Keras)
};

// A tensor of integers that stand for real numbers, per tensor, per channel or per group.
struct QuantizedTensor {
  ConstantTensor data;  // int8, uint8, int4 or uint4
  ConstantTensor scale;
  std::optional<ConstantTensor> zero_point;
  ScaleConvention convention = ScaleConvention::kMultiply;
  int axis = -1;                // the axis along which the scale varies; -1: the last
  std::int64_t group_size = 0;  // elements along the other axis that share a scale; 0: all

  // The plain tensors it consists of, under the names "<name>", "<name>_scale" and, where there
  // is one, "<name>_zero_point", in this order. They share the bytes.
  [[nodiscard]] std::vector<std::pair<std::string, ConstantTensor>> Flatten(
      const std::string& name) const;

  // The inverse: takes the tensors of those names; convention, axis and group size are the
  // caller's to set. Returns INVALID_ARGUMENT naming a tensor that is missing.
  static absl::StatusOr<QuantizedTensor> Unflatten(
      const std::string& name, const std::vector<std::pair<std::string, ConstantTensor>>& tensors);
};

// The elements of a 4-bit tensor, one a byte, sign-extended for kInt4, in row-major order whatever
// axis they are packed along. Precondition: BitWidth(packed.data_type()) == 4.
std::vector<std::int8_t> UnpackNibbles(const ConstantTensor& packed);

// The inverse: packs along `axis` (-1: the last), the first element in the low nibble, a run of odd
// length padded with 0. Preconditions: as many elements as `dims` say, each within the type.
ConstantTensor PackNibbles(DataType type, const Dims& dims,
                           const std::vector<std::int8_t>& elements, int axis);

}  // namespace octet
