// SPDX-License-Identifier: Apache-2.0
// A constant int8 or int4 matrix, packed for one set's panels, with its
// epilogue. Private to this room: matmul_s8 and conv2d_s8 are made of it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "kernels/epilogue.h"
#include "kernels/packed/aligned_array.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

// An Epilogue with its arrays padded to whole panels.
class PaddedEpilogue {
 public:
  // The inputs that the sums are made of are too large by `offset`, so that
  // each sum is too large by offset * column_sum[j]. Where `zero_point` holds
  // values, each sum is too large by zero_point[j] * its row's term, too.
  PaddedEpilogue(const Epilogue& epilogue, std::size_t padded_n,
                 std::span<const std::int32_t> column_sum, std::int32_t offset,
                 std::span<const std::int8_t> zero_point = {});

  const EpilogueTable& table() const { return table_; }
  std::size_t ByteSize() const {
    return add_.ByteSize() + row_factor_.ByteSize() + scale_.ByteSize() + bias_.ByteSize();
  }

 private:
  AlignedArray<std::int32_t> add_;
  AlignedArray<std::int32_t> row_factor_;
  AlignedArray<float> scale_;
  AlignedArray<float> bias_;
  EpilogueTable table_;  // points into the arrays
};

class S8Product {
 public:
  struct Spec {
    std::size_t k = 0;
    std::size_t n = 0;
    std::function<std::int8_t(std::size_t p, std::size_t j)> weight;
    ZeroPoint lhs_zero_point{0};
    Epilogue epilogue = {};

    // A product is made of weight - zero_point; zero_point is [groups, n] or
    // empty.
    std::span<const std::int8_t> zero_point = {};

    // int4: weights are kept as nibbles. With scales by group (then group_size
    // is not 0) group_scale is [groups, n].
    bool is_int4 = false;
    std::size_t group_size = 0;
    std::span<const float> group_scale = {};
  };
  S8Product(const MicroKernels& micro, const Spec& spec);
  S8Product(const S8Product&) = delete;
  S8Product& operator=(const S8Product&) = delete;

  // The panels that `rows` rows are best multiplied with.
  const S8Panels& PanelsFor(std::size_t rows) const;
  // Bytes of `rows` packed rows, and of their terms, for whichever panels.
  std::size_t PackedLhsByteSize(std::size_t rows) const;
  // Packs `rows` rows, `lhs_stride` apart.
  void PackLhs(const S8Panels& panels, const std::int8_t* lhs, std::size_t lhs_stride,
               std::size_t rows, std::byte* out) const;
  // Scratch that Run needs.
  std::size_t ScratchByteSize() const;
  std::size_t PackedByteSize() const;

  struct Rows {
    const S8Panels* panels;  // the ones that `lhs` was packed for
    const std::byte* lhs;
    std::size_t count;
    std::size_t first_row;  // row r's scale is row_scale[(first_row + r) /
                            // rows_per_scale]
    std::size_t rows_per_scale;
    const float* row_scale;
    std::byte* out;  // the first row's first channel
    std::size_t out_stride;
    std::size_t out_element_size;
    std::byte* scratch;
  };
  void Run(const Rows& rows) const;

 private:
  // What depends on the panels' lhs_offset.
  struct Correction {
    std::unique_ptr<PaddedEpilogue> epilogue;
    AlignedArray<std::int32_t> group_add;  // with scales by group: [panels, groups, columns]
  };

  void PackWeights(const Spec& spec);
  std::int32_t ZeroOf(const Spec& spec, std::size_t group, std::size_t j) const;
  Correction MakeCorrection(const Spec& spec, std::int32_t offset) const;
  // Bytes of `rows` packed rows, which their terms lie behind.
  std::size_t PackedRowsByteSize(const S8Panels& panels, std::size_t rows) const;
  // The panel's int8 values; unpacks nibbles into scratch.
  const std::int8_t* PanelValues(std::size_t panel, std::byte* scratch) const;
  void RunGroups(const Rows& rows, const Correction& correction, std::size_t panel,
                 std::size_t first, const TileTarget& target, const std::int8_t* values) const;
  // The packed rows of a group from row `first` on.
  const std::byte* LhsOf(const Rows& rows, std::size_t group, std::size_t first) const;

  const MicroKernels& micro_;
  const std::size_t k_;
  const std::size_t n_;
  const std::size_t columns_;
  const std::size_t num_panels_;
  // k in groups, each padded for itself; without scales by group, one group of
  // everything.
  const std::size_t group_size_;
  const std::size_t num_groups_;
  const std::size_t group_padded_;
  const bool has_group_scales_;
  // int8 weights whose difference to their zero point is no int8: what is
  // packed is the weight, and row_factor_ * the sum of a row's inputs is the
  // row's term, which is added to its sums: as it is where all channels have
  // one zero point, times each channel's where they differ.
  const bool has_row_terms_;
  std::uint32_t row_factor_ = 1;
  std::int32_t nibble_bias_ = 0;        // int4: what is added to a weight to make it 0 to 15
  AlignedArray<std::int8_t> weight_;    // int8: [panels, groups, padded / i, columns, i]
  AlignedArray<std::uint8_t> nibbles_;  // int4: the same, two values a byte
  AlignedArray<std::int8_t> zero_;      // int4: [panels, groups, columns, i]
  AlignedArray<float> group_scale_;     // [panels, groups, columns]
  Correction few_;                      // for MicroKernels::s8
  Correction many_;                     // for MicroKernels::s8_many_rows, if there is one
};

}  // namespace octet::kernels
