// SPDX-License-Identifier: Apache-2.0
// Binary arithmetic as loops that the compiler vectorizes. Private to this
// room.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "kernels/elementwise.h"
#include "kernels/vectorized/activation.h"
#include "kernels/vectorized/fixed_point.h"
#include "kernels/vectorized/quantize.h"

extern "C" float powf(float, float) noexcept;  // NOLINT(readability-identifier-naming)

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// Calls loop(f) with f: (float, float) -> float.
template <typename Loop>
inline void WithBinary(BinaryKind kind, const Loop& loop) {
  switch (kind) {
    case BinaryKind::kAdd:
      return loop([](float a, float b) { return a + b; });
    case BinaryKind::kSubtract:
      return loop([](float a, float b) { return a - b; });
    case BinaryKind::kMultiply:
      return loop([](float a, float b) { return a * b; });
    case BinaryKind::kDivide:
      return loop([](float a, float b) { return a / b; });
    case BinaryKind::kMaximum:
      return loop([](float a, float b) {
        const float y = b >= a ? b : a;
        return b != b ? b : y;
      });
    case BinaryKind::kMinimum:
      return loop([](float a, float b) {
        const float y = b <= a ? b : a;
        return b != b ? b : y;
      });
    case BinaryKind::kPower:
      return loop([](float a, float b) { return powf(a, b); });
  }
}

// Calls run(a offset, b offset, out offset, size, a stride, b stride) for each
// run along the innermost dimension.
template <typename Run>
inline void ForEachRun(const BinaryShape& shape, const Run& run) {
  const std::size_t inner = shape.rank - 1;
  std::size_t outer_size = 1;
  for (std::size_t d = 0; d < inner; ++d) outer_size *= shape.dimensions[d];
  const std::size_t size = shape.dimensions[inner];
  std::size_t position[kMaxBinaryRank] = {};
  std::size_t a = 0;
  std::size_t b = 0;
  for (std::size_t index = 0; index < outer_size; ++index) {
    run(a, b, index * size, size, shape.a_strides[inner], shape.b_strides[inner]);
    for (std::size_t d = inner; d-- > 0;) {
      a += shape.a_strides[d];
      b += shape.b_strides[d];
      if (++position[d] < shape.dimensions[d]) break;
      a -= shape.a_strides[d] * shape.dimensions[d];
      b -= shape.b_strides[d] * shape.dimensions[d];
      position[d] = 0;
    }
  }
}

// out[i] = f(a[i * a_stride], b[i * b_stride]), the usual strides each in a
// loop of their own.
template <typename T, typename Function>
inline void StridedLoop(const T* a, std::size_t a_stride, const T* b, std::size_t b_stride,
                        std::size_t size, const Function& f, T* out) {
  if (a_stride == 1 && b_stride == 1) {
    for (std::size_t i = 0; i < size; ++i) out[i] = f(a[i], b[i]);
    return;
  }
  if (a_stride == 1 && b_stride == 0) {
    const T y = *b;
    for (std::size_t i = 0; i < size; ++i) out[i] = f(a[i], y);
    return;
  }
  if (a_stride == 0 && b_stride == 1) {
    const T x = *a;
    for (std::size_t i = 0; i < size; ++i) out[i] = f(x, b[i]);
    return;
  }
  for (std::size_t i = 0; i < size; ++i) out[i] = f(a[i * a_stride], b[i * b_stride]);
}

inline void BinaryLoop(BinaryKind kind, const BinaryShape& shape, const Activation& activation,
                       std::span<const float> a, std::span<const float> b, std::span<float> out) {
  const float* a_data = a.data();
  const float* b_data = b.data();
  float* out_data = out.data();
  WithBinary(kind, [&](auto f) {
    ForEachRun(shape, [&](std::size_t i, std::size_t j, std::size_t o, std::size_t size,
                          std::size_t a_stride, std::size_t b_stride) {
      StridedLoop(a_data + i, a_stride, b_data + j, b_stride, size, f, out_data + o);
    });
  });
  ActivationLoop(activation, out, out);
}

// T is int8 or int16.
template <typename T>
inline void BinaryIntegerLoop(BinaryKind kind, const BinaryShape& shape,
                              const BinaryQuantization& quantization, std::span<const T> a,
                              std::span<const T> b, std::span<T> out) {
  const BinaryQuantization q = quantization;
  const auto lo = static_cast<float>(q.lo - q.out_zero_point);
  const auto hi = static_cast<float>(q.hi - q.out_zero_point);
  const T* a_data = a.data();
  const T* b_data = b.data();
  T* out_data = out.data();
  const auto run_all = [&](auto f) {
    const auto element = [=](T s, T t) {
      const float x = static_cast<float>(s - q.a_zero_point) * q.a_scale;
      const float y = static_cast<float>(t - q.b_zero_point) * q.b_scale;
      return static_cast<T>(RoundClipped(f(x, y) / q.out_scale, lo, hi, 0.0F) + q.out_zero_point);
    };
    ForEachRun(shape, [&](std::size_t i, std::size_t j, std::size_t o, std::size_t size,
                          std::size_t a_stride, std::size_t b_stride) {
      StridedLoop(a_data + i, a_stride, b_data + j, b_stride, size, element, out_data + o);
    });
  };
  if (kind == BinaryKind::kAdd) {
    run_all([](float x, float y) { return x + y; });
  } else {
    run_all([](float x, float y) { return x * y; });
  }
}

// x << kFixedBinaryShift times a scale, for x of 9 bits and a scale of at most 1: in 32 bits, by
// the halves of its multiplier.
class ShiftedOperand {
 public:
  explicit ShiftedOperand(const FixedPointScale& scale)
      : upper_(scale.multiplier >> 16),
        lower_(scale.multiplier & 0xFFFF),
        right_shift_(scale.shift - 31) {
    const bool is_rounded_twice = scale.round != scale.round_negative;
    const bool is_shifted = right_shift_ > 0;
    first_round_ = is_rounded_twice || !is_shifted ? 1 << 10 : 0;
    second_round_ = is_shifted ? 1 << (right_shift_ - 1) : 0;
    negative_ = is_rounded_twice ? -1 : 0;
  }

  std::int32_t operator()(std::int32_t x) const {
    // 2^31 of the multiplier's and the 2^20 of x leave 2^11.
    const std::int32_t y = x * upper_ * (1 << 5) + ((x * lower_ + first_round_) >> 11);
    return (y + second_round_ + ((y >> 31) & negative_)) >> right_shift_;
  }

 private:
  std::int32_t upper_;
  std::int32_t lower_;
  std::int32_t right_shift_;
  std::int32_t first_round_ = 0;
  std::int32_t second_round_ = 0;
  std::int32_t negative_ = 0;
};
static_assert(kFixedBinaryShift == 20);

// The same for int16, whose 15 bits and the shift fill 32: in 64.
class ShiftedOperandS16 {
 public:
  explicit ShiftedOperandS16(const FixedPointScale& scale) : scale_(scale) {}

  std::int32_t operator()(std::int32_t x) const {
    return FixedPointProduct(x * (1 << kFixedBinaryShiftS16), scale_);
  }

 private:
  FixedPointScale scale_;
};

// T is int8 or int16.
template <typename T>
inline void BinaryFixedLoop(BinaryKind kind, const BinaryShape& shape,
                            const FixedBinaryQuantization& quantization, std::span<const T> a,
                            std::span<const T> b, std::span<T> out) {
  using Operand = std::conditional_t<sizeof(T) == 1, ShiftedOperand, ShiftedOperandS16>;
  const FixedBinaryQuantization q = quantization;
  const std::int32_t lo = q.lo - q.out_zero_point;
  const std::int32_t hi = q.hi - q.out_zero_point;
  const T* a_data = a.data();
  const T* b_data = b.data();
  T* out_data = out.data();
  const auto run_all = [&](auto combine) {
    const auto element = [=](T s, T t) {
      const std::int32_t r = combine(s - q.a_zero_point, t - q.b_zero_point);
      const std::int32_t wide = FixedPointProduct(r, q.out_scale);
      const std::int32_t above = wide < lo ? lo : wide;
      return static_cast<T>((above > hi ? hi : above) + q.out_zero_point);
    };
    ForEachRun(shape, [&](std::size_t i, std::size_t j, std::size_t o, std::size_t size,
                          std::size_t a_stride, std::size_t b_stride) {
      StridedLoop(a_data + i, a_stride, b_data + j, b_stride, size, element, out_data + o);
    });
  };
  if (kind == BinaryKind::kMultiply) {
    return run_all([](std::int32_t x, std::int32_t y) { return x * y; });
  }
  const Operand first(q.a_scale);
  const Operand second(q.b_scale);
  if (kind == BinaryKind::kSubtract) {
    run_all([=](std::int32_t x, std::int32_t y) { return first(x) - second(y); });
  } else {
    run_all([=](std::int32_t x, std::int32_t y) { return first(x) + second(y); });
  }
}

}  // namespace
}  // namespace octet::kernels
