// SPDX-License-Identifier: Apache-2.0
// A constant int8 matrix for int16 inputs, packed for one set's panels, with its epilogue. Private
// to this room: matmul_s16 and conv2d_s16 are made of it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/epilogue.h"
#include "kernels/packed/aligned_array.h"
#include "kernels/packed/micro_kernels.h"
#include "kernels/packed/weight_panels.h"

namespace octet::kernels {

// Sums of int16 inputs times weights whose magnitudes sum to no more than this stay below 2^31.
inline constexpr std::size_t kMostS16Magnitude = 65535;
// So many weights sum to no more, whatever they are. Even.
inline constexpr std::size_t kSafeS16Terms = 510;

// An EpilogueS16 with its arrays padded to whole panels.
class PaddedEpilogueS16 {
 public:
  PaddedEpilogueS16(const EpilogueS16& epilogue, std::size_t padded_n);

  const S16EpilogueTable& table() const { return table_; }
  std::size_t ByteSize() const { return add_.ByteSize() + scale_.ByteSize(); }

 private:
  AlignedArray<double> add_;
  AlignedArray<double> scale_;
  S16EpilogueTable table_;  // points into the arrays
};

class S16Product {
 public:
  struct Spec {
    std::size_t k = 0;
    std::size_t n = 0;
    std::size_t num_segments = 1;  // of inputs; divides k
    std::function<std::int8_t(std::size_t p, std::size_t j)> weight;
    EpilogueS16 epilogue = {};
  };
  S16Product(const MicroKernels& micro, const Spec& spec);
  S16Product(const S16Product&) = delete;
  S16Product& operator=(const S16Product&) = delete;

  // Values that are read of each segment: those it has, and a last one that may be anything.
  std::size_t segment_padded() const { return weight_.segment_padded(); }
  std::size_t PackedByteSize() const { return weight_.ByteSize() + epilogue_.ByteSize(); }

  void Run(const InputRows& rows) const;

 private:
  // Some of a segment's values, whose sums stay below 2^31.
  struct Part {
    std::size_t segment;
    std::size_t begin;
    std::size_t size;
  };
  std::vector<Part> MakeParts(const Spec& spec) const;

  const MicroKernels& micro_;
  const WeightPanels weight_;
  const std::vector<Part> parts_;  // empty: all sums stay below 2^31 as they are
  const PaddedEpilogueS16 epilogue_;
};

}  // namespace octet::kernels
