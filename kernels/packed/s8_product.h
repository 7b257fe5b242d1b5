// SPDX-License-Identifier: Apache-2.0
// A constant int8 matrix, packed for one set's panels, with its
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
#include "kernels/packed/weight_panels.h"

namespace octet::kernels {

// `micro` for products that never take the panels for many rows.
inline MicroKernels WithoutManyRows(MicroKernels micro) {
  micro.s8_many_rows = nullptr;
  micro.s4_many_rows = nullptr;
  return micro;
}

// No sum of `num_terms` products of int8, with zero points of any kind, and a bias is larger.
std::int64_t LargestSum(const Epilogue& epilogue, std::size_t num_terms);

// FixedPointScale's of channels that own their arrays; those beyond the first ones give 0.
class PaddedFixedPoint {
 public:
  // `largest`: no number that is multiplied is larger.
  PaddedFixedPoint(std::size_t size, std::int64_t largest);

  void Set(std::size_t channel, const FixedPointScale& scale);
  // Of the channels from `first` on. Valid as long as this object.
  [[nodiscard]] FixedPointTable Table(std::size_t first = 0) const;
  [[nodiscard]] std::size_t ByteSize() const {
    return right_shift_.ByteSize() + multiplier_.ByteSize() + round_.ByteSize() +
           round_negative_.ByteSize() + shift_.ByteSize();
  }

 private:
  std::int64_t largest_;
  bool has_right_shifts_ = true;
  AlignedArray<std::int32_t> right_shift_;
  AlignedArray<std::int32_t> multiplier_;
  AlignedArray<std::int64_t> round_;
  AlignedArray<std::int64_t> round_negative_;
  AlignedArray<std::int64_t> shift_;
};

// An Epilogue with its arrays padded to whole panels.
class PaddedEpilogue {
 public:
  // Sums are of num_terms products. The inputs that they are made of are too large by `offset`, so
  // that each sum is too large by offset * column_sum[j]. Where `zero_point` holds
  // values, each sum is too large by zero_point[j] * its row's term, too.
  PaddedEpilogue(const Epilogue& epilogue, std::size_t padded_n, std::size_t num_terms,
                 std::span<const std::int32_t> column_sum, std::int32_t offset,
                 std::span<const std::int8_t> zero_point = {});

  const EpilogueTable& table() const { return table_; }
  std::size_t ByteSize() const {
    return add_.ByteSize() + row_factor_.ByteSize() + scale_.ByteSize() + bias_.ByteSize() +
           fixed_.ByteSize();
  }

 private:
  AlignedArray<std::int32_t> add_;
  AlignedArray<std::int32_t> row_factor_;
  AlignedArray<float> scale_;
  AlignedArray<float> bias_;
  PaddedFixedPoint fixed_;
  EpilogueTable table_;  // points into the arrays
};

class S8Product {
 public:
  struct Spec {
    std::size_t k = 0;
    std::size_t n = 0;
    std::size_t num_segments = 1;  // of inputs that are used where they lie; divides k
    std::function<std::int8_t(std::size_t p, std::size_t j)> weight;
    ZeroPoint lhs_zero_point{0};
    Epilogue epilogue = {};
    // A product is made of weight - zero_point; [n] or empty.
    std::span<const std::int8_t> zero_point = {};
  };
  S8Product(const MicroKernels& micro, const Spec& spec);
  S8Product(const S8Product&) = delete;
  S8Product& operator=(const S8Product&) = delete;

  // The panels that `rows` rows are best multiplied with.
  const S8Panels& PanelsFor(std::size_t rows) const;
  // Whether MicroKernels' panels take inputs where they lie, and the weights need nothing else.
  static bool TakesSegments(const MicroKernels& micro, const Spec& spec);

  // Bytes of `rows` packed rows, and of their terms, for whichever panels.
  std::size_t PackedLhsByteSize(std::size_t rows) const;
  // Packs `rows` rows, `lhs_stride` apart.
  void PackLhs(const S8Panels& panels, const std::int8_t* lhs, std::size_t lhs_stride,
               std::size_t rows, std::byte* out) const;
  std::size_t PackedByteSize() const;

  // `panels` are the ones that the rows were packed for: by PackLhs, where they follow one another.
  void Run(const S8Panels& panels, const InputRows& rows, const RowScales& scales) const;

 private:
  // Bytes of `rows` packed rows, which their terms lie behind.
  std::size_t PackedRowsByteSize(const S8Panels& panels, std::size_t rows) const;
  // For panels whose inputs are too large by `offset`.
  std::unique_ptr<const PaddedEpilogue> MakeEpilogue(const Spec& spec, std::int32_t offset) const;

  const MicroKernels& micro_;
  // Weights whose difference to their zero point is no int8: what is packed is the weight, and
  // row_factor_ * the sum of a row's inputs is the row's term, which is added to its sums: as it is
  // where all channels have one zero point, times each channel's where they differ.
  const bool has_row_terms_;
  const std::uint32_t row_factor_;
  const WeightPanels weight_;
  std::unique_ptr<const PaddedEpilogue> few_;   // for MicroKernels::s8
  std::unique_ptr<const PaddedEpilogue> many_;  // for MicroKernels::s8_many_rows, if there is one
};

}  // namespace octet::kernels
