// SPDX-License-Identifier: Apache-2.0

#include "models/operators/strided_copy.h"

#include <cstring>

namespace octet {
namespace {

// The same loop with dimensions of 1 left out and neighbours joined where both sides allow it,
// innermost first.
StridedCopy Normalized(const StridedCopy& copy) {
  StridedCopy result;
  for (std::size_t i = copy.rank; i-- > 0;) {
    if (copy.dims[i] == 1) continue;
    const std::size_t last = result.rank == 0 ? 0 : result.rank - 1;
    if (result.rank > 0 && copy.from_strides[i] == result.from_strides[last] * result.dims[last] &&
        copy.to_strides[i] == result.to_strides[last] * result.dims[last]) {
      result.dims[last] *= copy.dims[i];
      continue;
    }
    result.Append(copy.dims[i], copy.from_strides[i], copy.to_strides[i]);
  }
  if (result.rank == 0) result.Append(1, 1, 1);
  return result;
}

template <std::size_t kSize>
void CopyElements(std::int64_t count, const std::byte* from, std::int64_t from_step, std::byte* to,
                  std::int64_t to_step) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * to_step, from + i * from_step, kSize);
  }
}

template <std::size_t kSize>
void CopyAll(const StridedCopy& loop, const std::byte* from, std::byte* to) {
  constexpr auto kStep = static_cast<std::int64_t>(kSize);
  const bool is_dense = loop.from_strides[0] == 1 && loop.to_strides[0] == 1;
  std::array<std::int64_t, kMaxCopyRank> index{};
  while (true) {
    if (is_dense) {
      std::memcpy(to, from, static_cast<std::size_t>(loop.dims[0]) * kSize);
    } else {
      CopyElements<kSize>(loop.dims[0], from, loop.from_strides[0] * kStep, to,
                          loop.to_strides[0] * kStep);
    }
    std::size_t d = 1;
    for (; d < loop.rank; ++d) {
      from += loop.from_strides[d] * kStep;
      to += loop.to_strides[d] * kStep;
      if (++index[d] < loop.dims[d]) break;
      from -= loop.from_strides[d] * loop.dims[d] * kStep;
      to -= loop.to_strides[d] * loop.dims[d] * kStep;
      index[d] = 0;
    }
    if (d >= loop.rank) return;
  }
}

}  // namespace

std::array<std::int64_t, kMaxRank> DenseStrides(std::span<const std::int64_t> dims) {
  std::array<std::int64_t, kMaxRank> strides{};
  std::int64_t stride = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= dims[i];
  }
  return strides;
}

void CopyStrided(const StridedCopy& copy, std::size_t element_size, const void* from, void* to) {
  for (std::size_t i = 0; i < copy.rank; ++i) {
    if (copy.dims[i] <= 0) return;
  }
  const StridedCopy loop = Normalized(copy);
  const auto* from_bytes = static_cast<const std::byte*>(from);
  auto* to_bytes = static_cast<std::byte*>(to);
  switch (element_size) {
    case 1:
      return CopyAll<1>(loop, from_bytes, to_bytes);
    case 2:
      return CopyAll<2>(loop, from_bytes, to_bytes);
    case 4:
      return CopyAll<4>(loop, from_bytes, to_bytes);
    default:
      return CopyAll<8>(loop, from_bytes, to_bytes);
  }
}

}  // namespace octet
