// SPDX-License-Identifier: Apache-2.0
#include "models/importers/quantized_constant.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet {

namespace {

// Calls visit(i, block) for each element of `dims` in order, with the number of its block among
// those that there are `blocks[axis]` of along each axis.
template <typename Visit>
void ForEachElement(const Dims& dims, const Dims& blocks, const Visit& visit) {
  std::vector<std::int64_t> strides(dims.size(), 1);
  for (std::size_t axis = dims.size(); axis-- > 1;) {
    strides[axis - 1] = strides[axis] * blocks[axis];
  }
  const std::int64_t count = NumElements(dims);
  std::vector<std::int64_t> index(dims.size(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t block = 0;
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      block += index[axis] / (dims[axis] / blocks[axis]) * strides[axis];
    }
    visit(static_cast<std::size_t>(i), block);
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
}

// How many elements along each axis have one block's number, wherever one looks.
Dims BlockSizes(const Dims& dims, const std::vector<std::int64_t>& block_of) {
  Dims sizes = dims;
  std::int64_t stride = 1;
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    for (std::size_t i = 0; i < block_of.size() && sizes[axis] > 1; ++i) {
      const std::int64_t at = static_cast<std::int64_t>(i) / stride % dims[axis];
      if (at > 0 && block_of[i] != block_of[i - static_cast<std::size_t>(stride)]) {
        sizes[axis] = std::gcd(sizes[axis], at);
      }
    }
    stride *= dims[axis];
  }
  return sizes;
}

template <typename T>
ConstantTensor Take(const ConstantTensor& from, DataType type, const Dims& dims,
                    const std::vector<std::int64_t>& places) {
  std::vector<T> taken;
  taken.reserve(places.size());
  for (const std::int64_t place : places) {
    taken.push_back(from.as<T>()[static_cast<std::size_t>(place)]);
  }
  return ConstantTensor::Copy(type, dims, taken);
}

absl::Status CheckBlocks(const Dims& dims, const ConstantTensor& parameter, const char* what,
                         DataType type) {
  bool fits = parameter.data_type() == type && parameter.dims().size() == dims.size();
  for (std::size_t axis = 0; fits && axis < dims.size(); ++axis) {
    const std::int64_t blocks = parameter.dims()[axis];
    fits = blocks >= 1 && dims[axis] % blocks == 0;
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("its ", what, " is ", DataTypeName(parameter.data_type()),
                   ToString(parameter.dims()), ", wants ", DataTypeName(type),
                   " with as many axes as ", ToString(dims), ", each of which it divides"));
}

}  // namespace

absl::StatusOr<QuantizedConstant> Checked(QuantizedConstant constant) {
  const Dims& dims = constant.data.dims();
  if (constant.data.data_type() != DataType::kInt8 || dims.empty() || NumElements(dims) < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("its integers are ", DataTypeName(constant.data.data_type()), ToString(dims),
                     ", wants INT8 with at least one axis and one element"));
  }
  RETURN_IF_ERROR(CheckBlocks(dims, constant.scale, "scale", DataType::kFloat32));
  for (const float value : constant.scale.as<float>()) {
    if (!std::isfinite(value) || value <= 0.0F) {
      return absl::InvalidArgumentError(absl::StrCat("a scale of ", value, ", wants one above 0"));
    }
  }
  if (!constant.zero_point.has_value()) return constant;
  RETURN_IF_ERROR(CheckBlocks(dims, *constant.zero_point, "zero point", DataType::kInt8));
  if (constant.zero_point->dims() != constant.scale.dims()) {
    return absl::InvalidArgumentError(
        absl::StrCat("its zero point is ", ToString(constant.zero_point->dims()), ", its scale ",
                     ToString(constant.scale.dims())));
  }
  const auto zeros = constant.zero_point->as<std::int8_t>();
  if (std::all_of(zeros.begin(), zeros.end(), [](std::int8_t zero) { return zero == 0; })) {
    constant.zero_point.reset();
  }
  return constant;
}

QuantizedConstant Moved(const QuantizedConstant& constant, Dims dims,
                        std::span<const std::int64_t> from) {
  const Dims& source = constant.data.dims();
  std::vector<std::int64_t> source_block(static_cast<std::size_t>(NumElements(source)));
  ForEachElement(source, constant.scale.dims(),
                 [&](std::size_t i, std::int64_t block) { source_block[i] = block; });
  std::vector<std::int64_t> places(from.begin(), from.end());
  if (places.empty()) {
    places.resize(source_block.size());
    std::iota(places.begin(), places.end(), 0);
  }
  std::vector<std::int64_t> block_of(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    block_of[i] = source_block[static_cast<std::size_t>(places[i])];
  }
  Dims blocks = BlockSizes(dims, block_of);
  for (std::size_t axis = 0; axis < dims.size(); ++axis) blocks[axis] = dims[axis] / blocks[axis];
  std::vector<std::int64_t> scale_places(static_cast<std::size_t>(NumElements(blocks)));
  ForEachElement(dims, blocks, [&](std::size_t i, std::int64_t block) {
    scale_places[static_cast<std::size_t>(block)] = block_of[i];
  });
  QuantizedConstant moved = constant;
  moved.data = Take<std::int8_t>(constant.data, DataType::kInt8, dims, places);
  moved.scale = Take<float>(constant.scale, DataType::kFloat32, blocks, scale_places);
  if (constant.zero_point.has_value()) {
    moved.zero_point =
        Take<std::int8_t>(*constant.zero_point, DataType::kInt8, blocks, scale_places);
  }
  return moved;
}

const Dims& DimsOf(const std::variant<ConstantTensor, QuantizedConstant>& weight) {
  const auto* const plain = std::get_if<ConstantTensor>(&weight);
  return plain != nullptr ? plain->dims() : std::get<QuantizedConstant>(weight).data.dims();
}

}  // namespace octet
