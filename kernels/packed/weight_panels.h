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
  std::size_t num_panels() const { return num_panels_; }
  std::size_t padded_n() const { return num_panels_ * layout_.columns; }
  std::size_t segment_padded() const { return segment_padded_; }
  std::size_t k_padded() const { return layout_.num_segments * segment_padded_; }
  std::size_t ByteSize() const { return weight_.ByteSize(); }

  // Calls compute(first row, inputs, panels, number of panels, target) for each tile's rows and
  // `panels_at_a_time` panels, or those that are left. Inputs are of `element_size` bytes. The
  // target has neither scales nor terms of rows.
  template <typename Compute>
  void ForEachTile(const InputRows& rows, std::size_t element_size, std::size_t panels_at_a_time,
                   const Compute& compute) const {
    if (rows.count == 0) return;
    const bool is_packed = rows.row_offset == nullptr;
    const std::size_t row_bytes = k_padded() * element_size;
    std::uint32_t packed_offset[kTileRows];
    // Tiles of about as many rows, in fours: a last one of few would be slow.
    const std::size_t num_tiles = (rows.count - 1) / kTileRows + 1;
    const std::size_t tile_rows = RoundUp((rows.count - 1) / num_tiles + 1, 4);
    static_assert(kTileRows % 4 == 0);
    for (std::size_t r = 0; r < tile_rows; ++r) {
      packed_offset[r] = static_cast<std::uint32_t>(r * row_bytes);
    }
    constexpr std::uint32_t kOneSegment = 0;
    for (std::size_t panel = 0; panel < num_panels_; panel += panels_at_a_time) {
      const std::size_t num_panels = std::min(panels_at_a_time, num_panels_ - panel);
      const std::size_t channel = panel * layout_.columns;
      const std::int8_t* weight = weight_.data() + channel * k_padded();
      for (std::size_t first = 0; first < rows.count; first += tile_rows) {
        const std::size_t index = first * rows.out_stride + channel;
        const TileTarget target = {
            .rows = std::min(tile_rows, rows.count - first),
            .first_channel = channel,
            .num_channels = std::min(num_panels * layout_.columns, layout_.n - channel),
            .out = rows.out + index * rows.out_element_size,
            .out_stride = rows.out_stride,
            .residual = OrNull(rows.residual, index)};
        const PanelInputs inputs = {
            .lhs = is_packed ? rows.lhs + first * row_bytes : rows.lhs,
            .row_offset = is_packed ? packed_offset : rows.row_offset + first,
            .rows = target.rows,
            .segment_offset = is_packed ? &kOneSegment : rows.segment_offset,
            .num_segments = layout_.num_segments,
            .segment_size = segment_padded_,
        };
        compute(first, inputs, weight, num_panels, target);
      }
    }
  }

 private:
  const Layout layout_;
  const std::size_t num_panels_;
  const std::size_t segment_padded_;
  AlignedArray<std::int8_t> weight_;  // [panels, k_padded / interleave, columns, interleave]
};

}  // namespace octet::kernels
