// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ, VL and VNNI. Nibbles are vpdpbusd's unsigned operand, so that
// inputs need no offset. What takes nibbles apart and scales a group's sums runs beside vpdpbusd,
// on ports that it does not use: there is no pass of its own for either.
#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/intrinsics.h"
#include "kernels/avx512vnni/panels.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx512vnni {
namespace {

constexpr std::size_t kColumns = 32;
constexpr std::size_t kStepBytes = 4 * kColumns / 2;  // of four inputs
constexpr std::size_t kMaxRows = 5;
constexpr std::size_t kMaxPanels = 4;
// 20 sums stay in registers, with 4 vectors of weights.
constexpr std::size_t kMaxRowPanels = 10;

constexpr std::size_t MostPanels(std::size_t rows) {
  return kMaxRowPanels / rows < kMaxPanels ? kMaxRowPanels / rows : kMaxPanels;
}

// Sums between groups: they wrap, and are signed where that matters.
using Sums = std::uint32_t __attribute__((vector_size(64)));
using SignedSums = std::int32_t __attribute__((vector_size(64)));
using Floats = float __attribute__((vector_size(64)));

inline Sums Broadcast(std::int32_t value) { return Sums{} + static_cast<std::uint32_t>(value); }

inline Sums LoadZeroPoints(const std::int16_t* zero) {
  return __builtin_bit_cast(Sums, LoadInt16AsInt32(zero));
}

inline Floats LoadFloats(const float* values) {
  Floats vector;
  __builtin_memcpy(&vector, values, sizeof(vector));
  return vector;
}

// The weights of 32 columns in a vector: the left 16 in low nibbles, the right ones in high
// nibbles.

// Each nibble for itself.
struct Nibbles {
  static __m512i Right(__m512i both, __m512i low) {
    return _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
  }
  static Sums BeginRight(Sums /*left*/, Sums right) { return right; }
  static Sums EndRight(Sums /*left*/, Sums right) { return right; }
};

// A byte is 16 * high + low: the products of whole bytes, less those of the low nibbles, are 16
// times those of the high ones. For one row, that is so few products that what takes nibbles apart
// would be most of the work.
struct WholeBytes {
  // Inputs of a group whose sums, 16 times as large, fit into 32 bits: |u - zero| is at most 128.
  static constexpr std::size_t kMaxInputs = 8191;
  static __m512i Right(__m512i both, __m512i /*low*/) { return both; }
  static Sums BeginRight(Sums left, Sums right) { return (right << 4U) + left; }
  static Sums EndRight(Sums left, Sums right) {
    return __builtin_bit_cast(Sums, __builtin_bit_cast(SignedSums, right - left) >> 4);
  }
};

// The sums of kRows rows and kPanels panels in one group: kChains times over where they are too few
// to hide the latency of vpdpbusd.
template <std::size_t kRows, std::size_t kPanels>
struct GroupSums {
  static constexpr std::size_t kSums = kRows * kPanels;
  static constexpr std::size_t kChains = kSums == 1 ? 4 : kSums == 2 ? 2 : 1;
  // Steps of four inputs at a time; many more make one row slower.
  static constexpr std::size_t kUnroll = kRows < 3 ? kChains : 4;

  __m512i left[kChains][kPanels][kRows];
  __m512i right[kChains][kPanels][kRows];
};

// What zero points take away from the sums.
template <typename Weights, std::size_t kRows, std::size_t kPanels>
inline void Begin(const S4Run& run, std::size_t group, GroupSums<kRows, kPanels>& sums) {
  const std::int32_t* term = run.row_term + group;
#pragma GCC unroll 4
  for (std::size_t c = 0; c < sums.kChains; ++c) {
#pragma GCC unroll 4
    for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) {
        const Sums x = c == 0 ? Broadcast(term[r * run.row_term_stride]) : Sums{};
        sums.left[c][p][r] = __builtin_bit_cast(__m512i, x);
        sums.right[c][p][r] = __builtin_bit_cast(__m512i, Weights::BeginRight(x, x));
      }
    }
  }
  if (run.zero == nullptr) return;
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPanels; ++p) {
    const std::int16_t* zero = run.zero + p * run.table_stride + group * kColumns;
    const Sums left = LoadZeroPoints(zero);
    const Sums right = Weights::BeginRight(left, LoadZeroPoints(zero + 16));
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      const Sums x = Broadcast(term[r * run.row_term_stride]);
      sums.left[0][p][r] = __builtin_bit_cast(__m512i, x * left);
      sums.right[0][p][r] = __builtin_bit_cast(__m512i, x * right);
    }
  }
}

// Adds the products of four inputs of each row, which begin at `lhs`; the panels' weights for them
// begin at `nibbles`.
template <typename Weights, std::size_t kRows, std::size_t kPanels>
inline void AddStep(const S4Run& run, const std::int8_t* lhs, const std::uint8_t* nibbles,
                    __m512i (&left)[kPanels][kRows], __m512i (&right)[kPanels][kRows]) {
  const __m512i low = _mm512_set1_epi8(15);
  __m512i left_weights[kPanels];
  __m512i right_weights[kPanels];
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPanels; ++p) {
    const __m512i both = LoadOnce(nibbles + p * run.panel_stride);
    left_weights[p] = _mm512_and_si512(both, low);
    right_weights[p] = Weights::Right(both, low);
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
    std::int32_t bits = 0;
    __builtin_memcpy(&bits, lhs + r * run.lhs_stride, sizeof(bits));
    const __m512i x = _mm512_set1_epi32(bits);
#pragma GCC unroll 4
    for (std::size_t p = 0; p < kPanels; ++p) {
      AddDotProducts(left_weights[p], x, left[p][r]);
      AddDotProducts(right_weights[p], x, right[p][r]);
    }
  }
}

// The sums of one group, finished in left[0] and right[0].
template <typename Weights, std::size_t kRows, std::size_t kPanels>
inline void SumGroup(const S4Run& run, std::size_t group, GroupSums<kRows, kPanels>& sums) {
  Begin<Weights>(run, group, sums);
  const std::size_t first = group * run.group_padded;
  const std::int8_t* lhs = run.lhs + first;
  const std::uint8_t* nibbles = run.panel + first * kColumns / 2;
  const std::int8_t* const end = lhs + run.group_padded;
  for (; lhs < end; lhs += 4 * sums.kUnroll, nibbles += kStepBytes * sums.kUnroll) {
#pragma GCC unroll 4
    for (std::size_t u = 0; u < sums.kUnroll; ++u) {
      AddStep<Weights>(run, lhs + 4 * u, nibbles + kStepBytes * u, sums.left[u % sums.kChains],
                       sums.right[u % sums.kChains]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      auto left = __builtin_bit_cast(Sums, sums.left[0][p][r]);
      auto right = __builtin_bit_cast(Sums, sums.right[0][p][r]);
#pragma GCC unroll 4
      for (std::size_t c = 1; c < sums.kChains; ++c) {
        left += __builtin_bit_cast(Sums, sums.left[c][p][r]);
        right += __builtin_bit_cast(Sums, sums.right[c][p][r]);
      }
      sums.left[0][p][r] = __builtin_bit_cast(__m512i, left);
      sums.right[0][p][r] = __builtin_bit_cast(__m512i, Weights::EndRight(left, right));
    }
  }
}

template <typename Weights, std::size_t kRows, std::size_t kPanels>
void MultiplyBlock(const S4Run& run, std::int32_t* tile) {
  GroupSums<kRows, kPanels> sums;
  SumGroup<Weights>(run, 0, sums);
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      std::int32_t* row = tile + (p * kRows + r) * kColumns;
      _mm512_storeu_si512(row, sums.left[0][p][r]);
      _mm512_storeu_si512(row + 16, sums.right[0][p][r]);
    }
  }
}

// *total += float(sums) * scale, in this order: what is added first is 0, as in a loop.
inline void AddScaled(__m512i sums, Floats scale, bool is_first, float* total) {
  Floats result = is_first ? Floats{} : LoadFloats(total);
  result += __builtin_convertvector(__builtin_bit_cast(SignedSums, sums), Floats) * scale;
  __builtin_memcpy(total, &result, sizeof(result));
}

template <typename Weights, std::size_t kRows, std::size_t kPanels>
void MultiplyGroupsBlock(const S4Run& run, float* tile) {
  for (std::size_t group = 0; group < run.num_groups; ++group) {
    GroupSums<kRows, kPanels> sums;
    SumGroup<Weights>(run, group, sums);
#pragma GCC unroll 4
    for (std::size_t p = 0; p < kPanels; ++p) {
      const float* scale = run.scale + p * run.table_stride + group * kColumns;
      const Floats left = LoadFloats(scale);
      const Floats right = LoadFloats(scale + 16);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) {
        float* row = tile + (p * kRows + r) * kColumns;
        AddScaled(sums.left[0][p][r], left, group == 0, row);
        AddScaled(sums.right[0][p][r], right, group == 0, row + 16);
      }
    }
  }
}

// Calls block.operator()<rows, panels>().
template <std::size_t kRows, typename Block>
inline void WithPanels(std::size_t panels, const Block& block) {
  if constexpr (MostPanels(kRows) >= 4) {
    if (panels == 4) return block.template operator()<kRows, 4>();
  }
  if constexpr (MostPanels(kRows) >= 3) {
    if (panels == 3) return block.template operator()<kRows, 3>();
  }
  if (panels == 2) return block.template operator()<kRows, 2>();
  block.template operator()<kRows, 1>();
}

template <typename Block>
inline void WithRowsAndPanels(const S4Run& run, const Block& block) {
  switch (run.rows) {
    case 1:
      return WithPanels<1>(run.num_panels, block);
    case 2:
      return WithPanels<2>(run.num_panels, block);
    case 3:
      return WithPanels<3>(run.num_panels, block);
    case 4:
      return WithPanels<4>(run.num_panels, block);
    default:
      return WithPanels<5>(run.num_panels, block);
  }
}

bool HasWholeBytes(const S4Run& run) {
  return run.rows == 1 && run.group_padded <= WholeBytes::kMaxInputs;
}

void Multiply(const S4Run& run, std::int32_t* tile) {
  if (HasWholeBytes(run)) {
    return WithPanels<1>(run.num_panels, [&]<std::size_t kRows, std::size_t kPanels> {
      MultiplyBlock<WholeBytes, kRows, kPanels>(run, tile);
    });
  }
  WithRowsAndPanels(run, [&]<std::size_t kRows, std::size_t kPanels> {
    MultiplyBlock<Nibbles, kRows, kPanels>(run, tile);
  });
}

void MultiplyGroups(const S4Run& run, float* tile) {
  if (HasWholeBytes(run)) {
    return WithPanels<1>(run.num_panels, [&]<std::size_t kRows, std::size_t kPanels> {
      MultiplyGroupsBlock<WholeBytes, kRows, kPanels>(run, tile);
    });
  }
  WithRowsAndPanels(run, [&]<std::size_t kRows, std::size_t kPanels> {
    MultiplyGroupsBlock<Nibbles, kRows, kPanels>(run, tile);
  });
}

}  // namespace

constexpr S4Panels kS4Panels = {.name = "avx512vnni vpdpbusd int4 5x64",
                                .columns = kColumns,
                                .k_multiple = 16,  // four times unrolled
                                .row_multiple = 1,
                                .max_rows = kMaxRows,
                                .max_panels = kMaxPanels,
                                .max_row_panels = kMaxRowPanels,
                                .multiply = Multiply,
                                .multiply_groups = MultiplyGroups};

}  // namespace octet::kernels::avx512vnni
