// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ, VL and VNNI. Sums go to their results out of registers: while a
// block of few rows is finished, the products of the next one are computed already.
#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/fixed_point.h"
#include "kernels/avx512vnni/integer_sums.h"
#include "kernels/avx512vnni/intrinsics.h"
#include "kernels/avx512vnni/masks.h"
#include "kernels/avx512vnni/panels.h"
#include "kernels/vectorized/activation.h"
#include "kernels/vectorized/blocks_of_rows.h"
#include "kernels/vectorized/offset_inputs.h"
#include "kernels/vectorized/tiles.h"

namespace octet::kernels::avx512vnni {
namespace {

// --- the ways out of registers. Each is made for kVectors vectors of columns, from column `first`
// of a target on, and stores sum[r][v] of kRows rows, from number `row` on: whole vectors without a
// mask, which is slow.

// What is added to sums: Start() of each column, where they begin, and that of each row.
template <std::size_t kVectors>
class Terms {
 public:
  Terms(const EpilogueTable& table, const TileTarget& target, std::size_t first)
      : row_term_(target.row_term), row_factor_(table.row_factor) {
    const std::size_t channel = target.first_channel + first;
    if (row_factor_ != nullptr) row_factor_ += channel;
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      add_[v] = _mm512_loadu_si512(table.add + channel + v * kLanes);
    }
  }

  using Vectors = __m512i[kVectors];
  [[gnu::always_inline]] const Vectors& Start() const { return add_; }

  template <std::size_t kRows>
  [[gnu::always_inline]] void AddTo(std::size_t row, __m512i (&sum)[kRows][kVectors]) const {
    if (row_term_ == nullptr) return;
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512i term = _mm512_set1_epi32(row_term_[row + r]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        const __m512i product =
            row_factor_ == nullptr
                ? term
                : _mm512_mullo_epi32(term, _mm512_loadu_si512(row_factor_ + v * kLanes));
        sum[r][v] = _mm512_add_epi32(sum[r][v], product);
      }
    }
  }

 private:
  __m512i add_[kVectors];
  const std::int32_t* row_term_;
  const std::int32_t* row_factor_;
};

template <std::size_t kVectors>
class StoreIntegers {
 public:
  StoreIntegers(const EpilogueTable& table, const TileTarget& target, std::size_t first)
      : terms_(table, target, first),
        num_channels_(target.num_channels - first),
        out_(static_cast<std::int32_t*>(target.out) + first),
        stride_(target.out_stride) {}

  [[gnu::always_inline]] const auto& Start() const { return terms_.Start(); }

  template <std::size_t kRows>
  [[gnu::always_inline]] void operator()(std::size_t row, __m512i (&sum)[kRows][kVectors]) const {
    terms_.AddTo(row, sum);
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      const __mmask16 mask = MaskOf(num_channels_, v * kLanes);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) {
        _mm512_mask_storeu_ps(out_ + (row + r) * stride_ + v * kLanes, mask,
                              _mm512_castsi512_ps(sum[r][v]));
      }
    }
  }

 private:
  const Terms<kVectors> terms_;
  const std::size_t num_channels_;
  std::int32_t* const out_;
  const std::size_t stride_;
};

// One vector's columns, of which `mask` are there.
[[gnu::always_inline]] inline void StoreBytes(__mmask16 mask, __m128i bytes, std::int8_t* out) {
  if (mask == kWhole) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
  } else {
    _mm_mask_storeu_epi8(out, mask, bytes);
  }
}

template <std::size_t kVectors>
class StoreStatic {
 public:
  StoreStatic(const EpilogueTable& table, const TileTarget& target, std::size_t first)
      : terms_(table, target, first),
        lo_(_mm512_set1_ps(static_cast<float>(table.lo - table.zero_point))),
        hi_(_mm512_set1_ps(static_cast<float>(table.hi - table.zero_point))),
        zero_(_mm256_set1_epi8(static_cast<char>(table.zero_point))),
        num_channels_(target.num_channels - first),
        out_(static_cast<std::int8_t*>(target.out) + first),
        stride_(target.out_stride) {
    const float* scale = table.scale + target.first_channel + first;
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) scale_[v] = _mm512_loadu_ps(scale + v * kLanes);
  }

  [[gnu::always_inline]] const auto& Start() const { return terms_.Start(); }

  template <std::size_t kRows>
  [[gnu::always_inline]] void operator()(std::size_t row, __m512i (&sum)[kRows][kVectors]) const {
    terms_.AddTo(row, sum);
    std::int8_t* out = out_ + row * stride_;
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; v += 2) {
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) {
        if constexpr (kVectors == 1) {
          StoreBytes(MaskOf(num_channels_, 0),
                     _mm_add_epi8(Round(0, sum[r][0]), _mm256_castsi256_si128(zero_)),
                     out + r * stride_);
        } else {
          StorePair(v, _mm256_set_m128i(Round(v + 1, sum[r][v + 1]), Round(v, sum[r][v])),
                    out + r * stride_ + v * kLanes);
        }
      }
    }
  }

 private:
  // Without their zero point. Half to even: the mode that every thread begins with.
  [[gnu::always_inline]] __m128i Round(std::size_t v, __m512i sum) const {
    const __m512 real = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale_[v]);
    return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(real, lo_), hi_)));
  }
  // Two vectors' columns at once, where there are as many.
  [[gnu::always_inline]] void StorePair(std::size_t v, __m256i rounded, std::int8_t* out) const {
    const __m256i result = _mm256_add_epi8(rounded, zero_);
    if (num_channels_ >= (v + 2) * kLanes) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), result);
      return;
    }
    StoreBytes(MaskOf(num_channels_, v * kLanes), _mm256_castsi256_si128(result), out);
    StoreBytes(MaskOf(num_channels_, (v + 1) * kLanes), _mm256_extracti128_si256(result, 1),
               out + kLanes);
  }

  const Terms<kVectors> terms_;
  __m512 scale_[kVectors];
  const __m512 lo_;
  const __m512 hi_;
  const __m256i zero_;
  const std::size_t num_channels_;
  std::int8_t* const out_;
  const std::size_t stride_;
};

// In fixed point, which leaves int8 by packing: four vectors at a time, row by row; the last one
// stands for those that there are not.
template <typename Lanes>
struct StoreStaticFixed {
  template <std::size_t kVectors>
  class Of {
   public:
    Of(const EpilogueTable& table, const TileTarget& target, std::size_t first)
        : terms_(table, target, first),
          zero_(_mm512_set1_epi16(static_cast<std::int16_t>(table.zero_point))),
          lo_(_mm512_set1_epi8(static_cast<char>(table.lo))),
          hi_(_mm512_set1_epi8(static_cast<char>(table.hi))),
          num_channels_(target.num_channels - first),
          out_(static_cast<std::int8_t*>(target.out) + first),
          stride_(target.out_stride) {
      const std::size_t channel = target.first_channel + first;
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        scale_[v] = Lanes(table.fixed, channel + v * kLanes);
      }
    }

    [[gnu::always_inline]] const auto& Start() const { return terms_.Start(); }

    template <std::size_t kRows>
    [[gnu::always_inline]] void operator()(std::size_t row, __m512i (&sum)[kRows][kVectors]) const {
      terms_.AddTo(row, sum);
      constexpr std::size_t kSize = kRows * kVectors;
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kSize; i += 4) {
        __m512i rounded[4];
#pragma GCC unroll 4
        for (std::size_t j = 0; j < 4; ++j) {
          const std::size_t at = i + j < kSize ? i + j : kSize - 1;
          rounded[j] = scale_[at % kVectors].Multiply(sum[at / kVectors][at % kVectors]);
        }
        const __m512i bytes = Bytes(rounded);
        Store<kSize>(row, i, _mm512_castsi512_si256(bytes));
        if (i + 2 < kSize) Store<kSize>(row, i + 2, _mm512_extracti64x4_epi64(bytes, 1));
      }
    }

   private:
    // With their zero point and clipped, one vector after another.
    [[gnu::always_inline]] __m512i Bytes(const __m512i (&rounded)[4]) const {
      const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(rounded[0], rounded[1]), zero_);
      const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(rounded[2], rounded[3]), zero_);
      const __m512i bytes = _mm512_packs_epi16(low, high);
      const __m512i clipped = _mm512_min_epi8(_mm512_max_epi8(bytes, lo_), hi_);
      const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      return _mm512_permutexvar_epi32(order, clipped);
    }
    // Vectors number i and i + 1 of all rows'.
    template <std::size_t kSize>
    [[gnu::always_inline]] void Store(std::size_t row, std::size_t i, __m256i bytes) const {
      std::int8_t* out = out_ + (row + i / kVectors) * stride_ + i % kVectors * kLanes;
      if constexpr (kVectors > 1) {
        if (num_channels_ >= (i % kVectors + 2) * kLanes) {
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), bytes);
          return;
        }
      }
      StoreBytes(MaskOf(num_channels_, i % kVectors * kLanes), _mm256_castsi256_si128(bytes), out);
      if (i + 1 == kSize) return;
      const std::size_t next = i + 1;
      StoreBytes(MaskOf(num_channels_, next % kVectors * kLanes),
                 _mm256_extracti128_si256(bytes, 1),
                 out_ + (row + next / kVectors) * stride_ + next % kVectors * kLanes);
    }

    const Terms<kVectors> terms_;
    Lanes scale_[kVectors];
    const __m512i zero_;
    const __m512i lo_;
    const __m512i hi_;
    const std::size_t num_channels_;
    std::int8_t* const out_;
    const std::size_t stride_;
  };
};

// The reals of sums, before their activation: of kDynamic in each convention, and of kStaticFloat.
template <std::size_t kVectors, ScaleConvention kConvention>
class DynamicReals {
 public:
  DynamicReals(const EpilogueTable& table, const TileTarget& target, std::size_t first)
      : row_scales_(target.row_scales) {
    const std::size_t channel = target.first_channel + first;
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      scale_[v] = _mm512_loadu_ps(table.scale + channel + v * kLanes);
      bias_[v] = _mm512_loadu_ps(table.bias + channel + v * kLanes);
    }
  }
  [[gnu::always_inline]] __m512 RowScale(std::size_t row) const {
    return _mm512_set1_ps(ScaleOfRow(row_scales_, row));
  }
  [[gnu::always_inline]] __m512 Real(__m512 row_scale, std::size_t v, __m512i sum) const {
    const __m512 real = _mm512_cvtepi32_ps(sum);
    const __m512 product = kConvention == ScaleConvention::kReciprocal
                               ? _mm512_div_ps(real, _mm512_mul_ps(row_scale, scale_[v]))
                               : _mm512_mul_ps(_mm512_div_ps(real, row_scale), scale_[v]);
    return _mm512_add_ps(product, bias_[v]);
  }

 private:
  const RowScales& row_scales_;
  __m512 scale_[kVectors];
  __m512 bias_[kVectors];
};
template <std::size_t kVectors>
using ReciprocalReals = DynamicReals<kVectors, ScaleConvention::kReciprocal>;
template <std::size_t kVectors>
using MultipliedReals = DynamicReals<kVectors, ScaleConvention::kMultiply>;

template <std::size_t kVectors>
class StaticReals {
 public:
  StaticReals(const EpilogueTable& table, const TileTarget& target, std::size_t first) {
    const float* scale = table.scale + target.first_channel + first;
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) scale_[v] = _mm512_loadu_ps(scale + v * kLanes);
  }
  [[gnu::always_inline]] static __m512 RowScale(std::size_t /*row*/) { return __m512{}; }
  [[gnu::always_inline]] __m512 Real(__m512 /*row_scale*/, std::size_t v, __m512i sum) const {
    return _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale_[v]);
  }

 private:
  __m512 scale_[kVectors];
};

[[gnu::noinline]] void ActivateByKind(const Activation& activation, std::size_t size, float* y) {
  ActivateRange(activation, y, size, y);
}
// GELU, which most transformers have, runs beside the next products; the others are called.
template <std::size_t kSize>
[[gnu::always_inline]] inline void Activate(const Activation& activation, float (&y)[kSize]) {
  if (activation.kind != ActivationKind::kGelu) return ActivateByKind(activation, kSize, y);
  for (std::size_t i = 0; i < kSize; ++i) y[i] = Gelu(y[i]);
}

template <template <std::size_t> class Reals>
struct StoreFloats {
  template <std::size_t kVectors>
  class Of {
   public:
    Of(const EpilogueTable& table, const TileTarget& target, std::size_t first)
        : terms_(table, target, first),
          reals_(table, target, first),
          activation_(table.activation),
          num_channels_(target.num_channels - first),
          out_(static_cast<float*>(target.out) + first),
          residual_(target.residual == nullptr ? nullptr : target.residual + first),
          stride_(target.out_stride) {}

    [[gnu::always_inline]] const auto& Start() const { return terms_.Start(); }

    template <std::size_t kRows>
    [[gnu::always_inline]] void operator()(std::size_t row, __m512i (&sum)[kRows][kVectors]) const {
      terms_.AddTo(row, sum);
      __m512 real[kRows][kVectors];
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) {
        const __m512 row_scale = reals_.RowScale(row + r);
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) {
          real[r][v] = reals_.Real(row_scale, v, sum[r][v]);
        }
      }
      if (activation_.kind != ActivationKind::kLinear) {
        alignas(64) float y[kRows * kVectors * kLanes];
#pragma GCC unroll 8
        for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
          for (std::size_t v = 0; v < kVectors; ++v) {
            _mm512_store_ps(y + (r * kVectors + v) * kLanes, real[r][v]);
          }
        }
        Activate(activation_, y);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
          for (std::size_t v = 0; v < kVectors; ++v) {
            real[r][v] = _mm512_load_ps(y + (r * kVectors + v) * kLanes);
          }
        }
      }
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) {
          Store((row + r) * stride_ + v * kLanes, MaskOf(num_channels_, v * kLanes), real[r][v]);
        }
      }
    }

   private:
    [[gnu::always_inline]] void Store(std::size_t index, __mmask16 mask, __m512 real) const {
      if (mask == kWhole) {
        if (residual_ != nullptr) real = _mm512_add_ps(real, _mm512_loadu_ps(residual_ + index));
        _mm512_storeu_ps(out_ + index, real);
        return;
      }
      if (residual_ != nullptr) {
        real = _mm512_add_ps(real, _mm512_maskz_loadu_ps(mask, residual_ + index));
      }
      _mm512_mask_storeu_ps(out_ + index, mask, real);
    }

    const Terms<kVectors> terms_;
    const Reals<kVectors> reals_;
    const Activation& activation_;
    const std::size_t num_channels_;
    float* const out_;
    const float* const residual_;
    const std::size_t stride_;
  };
};

// --- which rows and panels at a time.

template <template <std::size_t> class Store>
struct Products {
  const PanelInputs& in;
  const std::int8_t* panels;
  std::size_t num_panels;
  const EpilogueTable& table;
  const TileTarget& target;

  // kRows rows, all there are: kPanels panels at a time, for sums enough to hide the latency of a
  // step.
  template <std::size_t kRows, std::size_t kPanels>
  [[gnu::noinline]] void RunFewRows() const {
    std::size_t panel = 0;
    for (; panel + kPanels <= num_panels; panel += kPanels) RunBlock<kRows, 2 * kPanels>(0, panel);
    if constexpr (kPanels > 1) {
      for (; panel < num_panels; ++panel) RunBlock<kRows, 2>(0, panel);
    }
  }

  [[gnu::noinline]] void RunManyRows() const {
    for (std::size_t panel = 0; panel < num_panels; ++panel) {
      if (target.num_channels - panel * kColumns > kLanes) {
        RunPanel<2>(panel);
      } else {
        RunPanel<1>(panel);
      }
    }
  }

  // The first kVectors halves of a panel: as many rows at a time as make eight sums, the fewest
  // whose products are as fast as those of more, so that the most of them are computed beside the
  // end of others.
  template <std::size_t kVectors>
  [[gnu::always_inline]] void RunPanel(std::size_t panel) const {
    constexpr std::size_t kRows = 8 / kVectors;
    const Store<kVectors> store(table, target, panel * kColumns);
    std::size_t row = 0;
    for (; in.rows - row >= 2 * kRows || in.rows - row == kRows; row += kRows) {
      __m512i sum[kRows][kVectors];
      SumProducts<S8Step>(in, row, PanelAt(panel), store.Start(), sum);
      store(row, sum);
    }
    for (; in.rows - row >= 8 || in.rows - row == 4; row += 4) {
      RunBlockApart<4, kVectors>(row, panel);
    }
    switch (in.rows - row) {
      case 7:
        return RunBlockApart<7, kVectors>(row, panel);
      case 6:
        return RunBlockApart<6, kVectors>(row, panel);
      case 5:
        return RunBlockApart<5, kVectors>(row, panel);
      default:
        return;
    }
  }
  template <std::size_t kRows, std::size_t kVectors>
  [[gnu::noinline]] void RunBlockApart(std::size_t row, std::size_t panel) const {
    RunBlock<kRows, kVectors>(row, panel);
  }

  // What stores is made behind the products, which need the registers.
  template <std::size_t kRows, std::size_t kVectors>
  [[gnu::always_inline]] void RunBlock(std::size_t row, std::size_t panel) const {
    __m512i start[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      start[v] =
          _mm512_loadu_si512(table.add + target.first_channel + panel * kColumns + v * kLanes);
    }
    __m512i sum[kRows][kVectors];
    SumProducts<S8Step>(in, row, PanelAt(panel), start, sum);
    Store<kVectors>(table, target, panel * kColumns)(row, sum);
  }

  [[gnu::always_inline]] const std::int8_t* PanelAt(std::size_t panel) const {
    return panels + panel * in.num_segments * in.segment_size * kColumns;
  }

  void Run() const {
    switch (in.rows) {
      case 1:
        return RunFewRows<1, 1>();
      case 2:
        return RunFewRows<2, 4>();
      case 3:
        return RunFewRows<3, 3>();
      default:
        return RunManyRows();
    }
  }
};

void MultiplyAndStore(const PanelInputs& inputs, const std::int8_t* panels,
                      const EpilogueTable& table, const TileTarget& target) {
  const std::size_t num_panels = (target.num_channels - 1) / kColumns + 1;
  const auto run = [&]<template <std::size_t> class Store>() {
    Products<Store>{inputs, panels, num_panels, table, target}.Run();
  };
  switch (table.kind) {
    case EpilogueKind::kNone:
      return run.template operator()<StoreIntegers>();
    case EpilogueKind::kStatic:
      return run.template operator()<StoreStatic>();
    case EpilogueKind::kStaticFixed:
      return table.fixed.right_shift == nullptr
                 ? run.template operator()<StoreStaticFixed<FixedPointLanes>::Of>()
                 : run.template operator()<StoreStaticFixed<TwiceRoundedLanes>::Of>();
    case EpilogueKind::kDynamic:
      return table.convention == ScaleConvention::kReciprocal
                 ? run.template operator()<StoreFloats<ReciprocalReals>::Of>()
                 : run.template operator()<StoreFloats<MultipliedReals>::Of>();
    case EpilogueKind::kStaticFloat:
      return run.template operator()<StoreFloats<StaticReals>::Of>();
  }
}

}  // namespace

constexpr S8Panels kS8Panels = {.name = "avx512vnni vpdpbusd 4x32",
                                .columns = kColumns,
                                .interleave = 4,
                                .k_multiple = 4,
                                .row_multiple = 1,
                                .lhs_element_size = 1,
                                .lhs_offset = 128,
                                .takes_segments = true,
                                .pack_lhs = PackOffsetInputs,
                                .multiply = nullptr,
                                .multiply_and_store = MultiplyAndStore};

}  // namespace octet::kernels::avx512vnni
