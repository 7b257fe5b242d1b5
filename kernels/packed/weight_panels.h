// SPDX-License-Identifier: Apache-2.0
// A constant int8 matrix as panels, and how rows of inputs meet it, tile by tile. Private to this
// room: s8_product and s16_product are made of it.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "kernels/packed/aligned_array.h"
#include "kernels/packed/micro_kernels.h"
#include "kernels/packed/output.h"
#include "kernels/prepared.h"

namespace octet::kernels {

// A tile's packed rows, of up to 16 bits a value and padded along k, lie within 32 bits of offsets.
static_assert(2 * kTileRows * (kMostTerms + 1024) <= UINT32_MAX);

// Inputs of some rows, and where their results go.
struct InputRows {
  const std::byte* lhs;
  // Where rows and segments lie, as PanelInputs says; null: the rows follow one another, in one
  // segment each, as it is packed.
  const std::uint32_t* row_offset = nullptr;
  const std::uint32_t* segment_offset = nullptr;
  std::size_t count;
  const float* residual = nullptr;  // as TileTarget's, of the first row's first channel
  std::byte* out;                   // the first row's first channel
  std::size_t out_stride;
  std::size_t out_element_size;
};

class WeightPanels {
 public:
  struct Layout {
    std::size_t k;  // at most kMostTerms
    std::size_t n;
    std::size_t num_segments;  // of k; divides it
    std::size_t k_multiple;    // a segment's part of k is rounded up to this
    std::size_t columns;       // of a panel
    std::size_t interleave;    // as S8Panels says
  };
  // weight(p, j) is the matrix.
  WeightPanels(const Layout& layout,
               const std::function<std::int8_t(std::size_t p, std::size_t j)>& weight);

  const Layout& layout() const { return layout_; }
  std::size_t padded_n() const { return num_panels_ * layout_.columns; }
  std::size_t segment_padded() const { return segment_padded_; }
  std::size_t k_padded() const { return layout_.num_segments * segment_padded_; }
  std::size_t ByteSize() const { return weight_.ByteSize(); }

  // Calls compute(first row, inputs, panel, target) for each panel and each tile's rows, whose
  // inputs are of `element_size` bytes. The target has neither scales nor terms of rows.
  template <typename Compute>
  void ForEachTile(const InputRows& rows, std::size_t element_size, const Compute& compute) const {
    const PackedOffsets<kTileRows> packed(rows, k_padded() * element_size);
    for (std::size_t panel = 0; panel < num_panels_; ++panel) {
      for (std::size_t first = 0; first < rows.count; first += kTileRows) {
        const std::size_t count = std::min(kTileRows, rows.count - first);
        compute(first, InputsOf(rows, first, count, packed),
                weight_.data() + panel * layout_.columns * k_padded(),
                TargetOf(rows, first, count, panel * layout_.columns, layout_.columns));
      }
    }
  }

  // Calls compute(first row, inputs, all panels, target of all columns) for blocks of rows: as many
  // as there are, but where they are packed at most kMostRowsOfBlock.
  template <typename Compute>
  void ForEachBlock(const InputRows& rows, std::size_t element_size, const Compute& compute) const {
    const std::size_t row_bytes = k_padded() * element_size;
    const PackedOffsets<kMostRowsOfBlock> packed(rows, row_bytes);
    const std::size_t most =
        packed.is_packed ? std::min(kMostRowsOfBlock, UINT32_MAX / row_bytes) : rows.count;
    for (std::size_t first = 0; first < rows.count; first += most) {
      const std::size_t count = std::min(most, rows.count - first);
      compute(first, InputsOf(rows, first, count, packed), weight_.data(),
              TargetOf(rows, first, count, 0, layout_.n));
    }
  }
  static constexpr std::size_t kMostRowsOfBlock = 5 * kTileRows;

 private:
  // Where rows lie that follow one another. Those beyond 4 GiB are not used.
  template <std::size_t kRows>
  struct PackedOffsets {
    PackedOffsets(const InputRows& rows, std::size_t row_size)
        : is_packed(rows.row_offset == nullptr), row_bytes(row_size) {
      const std::size_t count = is_packed ? std::min(kRows, rows.count) : 0;
      for (std::size_t r = 0; r < count; ++r) offset[r] = static_cast<std::uint32_t>(r * row_bytes);
    }
    const bool is_packed;
    const std::size_t row_bytes;
    std::uint32_t offset[kRows];
  };

  template <typename Packed>
  PanelInputs InputsOf(const InputRows& rows, std::size_t first, std::size_t count,
                       const Packed& packed) const {
    static constexpr std::uint32_t kOneSegment = 0;
    return {
        .lhs = packed.is_packed ? rows.lhs + first * packed.row_bytes : rows.lhs,
        .row_offset = packed.is_packed ? packed.offset : rows.row_offset + first,
        .rows = count,
        .segment_offset = packed.is_packed ? &kOneSegment : rows.segment_offset,
        .num_segments = layout_.num_segments,
        .segment_size = segment_padded_,
    };
  }

  TileTarget TargetOf(const InputRows& rows, std::size_t first, std::size_t count,
                      std::size_t channel, std::size_t columns) const {
    const std::size_t index = first * rows.out_stride + channel;
    return {.rows = count,
            .first_channel = channel,
            .num_channels = std::min(columns, layout_.n - channel),
            .out = rows.out + index * rows.out_element_size,
            .out_stride = rows.out_stride,
            .residual = OrNull(rows.residual, index)};
  }

  const Layout layout_;
  const std::size_t num_panels_;
  const std::size_t segment_padded_;
  AlignedArray<std::int8_t> weight_;  // [panels, k_padded / interleave, columns, interleave]
};

}  // namespace octet::kernels
