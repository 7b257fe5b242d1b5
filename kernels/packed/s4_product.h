// SPDX-License-Identifier: Apache-2.0
// A constant int4 matrix, packed for one set's panels, with its epilogue. Private to this room:
// matmul_s8 is made of it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "kernels/matmul_s8.h"
#include "kernels/packed/aligned_array.h"
#include "kernels/packed/micro_kernels.h"
#include "kernels/packed/s8_product.h"

namespace octet::kernels {

// Weights are kept as nibbles u = w + bias in [0, 15]; what is too much is taken away from the
// sums: the zero point of u times the sum of the inputs.
class S4Product {
 public:
  // The spec has been checked.
  S4Product(const MicroKernels& micro, const MatmulS8S4Spec& spec);
  S4Product(const S4Product&) = delete;
  S4Product& operator=(const S4Product&) = delete;

  std::string Provider() const;
  std::size_t PackedByteSize() const;
  // Scratch that Run needs for `rows` rows.
  std::size_t ScratchByteSize(std::size_t rows) const;

  struct Rows {
    const std::int8_t* lhs;  // [count, k]
    std::size_t count;
    RowScales row_scales;
    const float* residual = nullptr;  // [count, n]
    std::byte* out;                   // [count, n]
    std::size_t out_element_size;
    std::byte* scratch;
  };
  void Run(const Rows& rows) const;

 private:
  void PackWeights(const MatmulS8S4Spec& spec);
  // Sets one_zero_ or zero_.
  void PackZeroPoints(const MatmulS8S4Spec& spec);
  // One value of each channel and group, [groups, n], in the order of the panels.
  template <typename T, typename ValueOf>
  AlignedArray<T> PackTable(const ValueOf& value_of) const;

  const S4Panels& PanelsFor(std::size_t rows) const;
  // Whether the inputs of so many rows are used where they lie.
  bool TakesRowsAsTheyAre(const S4Panels& panels, std::size_t rows) const;
  std::size_t PackedRowSize() const { return num_groups_ * group_padded_; }
  // [rows, groups, group_padded].
  void PackLhs(const Rows& rows, std::int8_t* packed) const;
  // [rows, groups], as S4Run says.
  void ComputeRowTerms(const Rows& rows, std::int32_t* row_term) const;
  // Multiplies rows from first_row on with all panels from first_panel on that `run` has.
  void RunTile(const S4Panels& panels, const Rows& rows, const S4Run& run, std::size_t first_row,
               std::size_t first_panel) const;

  const MicroKernels& micro_;
  const std::size_t k_;
  const std::size_t n_;
  const std::size_t columns_;
  const std::size_t num_panels_;
  // k in groups, each padded for itself; without scales by group, one group of everything.
  const std::size_t group_size_;
  const std::size_t num_groups_;
  const std::size_t group_padded_;
  int nibble_bias_ = 0;
  int one_zero_ = 0;                    // of u, where zero_ is empty
  AlignedArray<std::uint8_t> nibbles_;  // [panels], each as S4Run says
  AlignedArray<std::int16_t> zero_;     // [panels, groups, columns]; empty where all are one
  AlignedArray<float> scale_;           // the same; empty without scales by group
  std::unique_ptr<const PaddedEpilogue> epilogue_;
};

}  // namespace octet::kernels
