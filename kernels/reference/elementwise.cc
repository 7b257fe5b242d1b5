// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/activation_formula.h"
#include "kernels/reference/reference.h"

namespace octet::kernels::reference {
namespace {

// Calls element(index in a, index in b, index in out) for each element of the
// result, in order.
template <typename Element>
void ForEachElement(const BinaryShape& shape, const Element& element) {
  std::size_t size = 1;
  for (std::size_t d = 0; d < shape.rank; ++d) size *= shape.dimensions[d];
  for (std::size_t index = 0; index < size; ++index) {
    std::size_t rest = index;
    std::size_t a = 0;
    std::size_t b = 0;
    for (std::size_t d = shape.rank; d-- > 0;) {
      const std::size_t position = rest % shape.dimensions[d];
      rest /= shape.dimensions[d];
      a += position * shape.a_strides[d];
      b += position * shape.b_strides[d];
    }
    element(a, b, index);
  }
}

float Compute(BinaryKind kind, float a, float b) {
  switch (kind) {
    case BinaryKind::kAdd:
      return a + b;
    case BinaryKind::kSubtract:
      return a - b;
    case BinaryKind::kMultiply:
      return a * b;
    case BinaryKind::kDivide:
      return a / b;
    case BinaryKind::kMaximum:
      return a > b ? a : (b != b || b >= a ? b : a);
    case BinaryKind::kMinimum:
      return a < b ? a : (b != b || b <= a ? b : a);
    case BinaryKind::kPower:
      return std::pow(a, b);
  }
  return 0.0F;
}

template <typename T>
void BinaryIntegers(BinaryKind kind, const BinaryShape& shape, const BinaryQuantization& q,
                    std::span<const T> a, std::span<const T> b, std::span<T> out) {
  ForEachElement(shape, [&](std::size_t i, std::size_t j, std::size_t index) {
    const float x = static_cast<float>(a[i] - q.a_zero_point) * q.a_scale;
    const float y = static_cast<float>(b[j] - q.b_zero_point) * q.b_scale;
    const float real = Compute(kind, x, y) / q.out_scale;
    out[index] = static_cast<T>(RoundAndClip(real, q.out_zero_point, q.lo, q.hi));
  });
}

template <typename T>
void BinaryFixed(BinaryKind kind, const BinaryShape& shape, const FixedBinaryQuantization& q,
                 std::span<const T> a, std::span<const T> b, std::span<T> out) {
  constexpr int kShift = sizeof(T) == 1 ? kFixedBinaryShift : kFixedBinaryShiftS16;
  const auto scaled = [](std::int32_t x, const FixedPointScale& scale) {
    return MultiplyFixedPoint(x * (1 << kShift), scale);
  };
  ForEachElement(shape, [&](std::size_t i, std::size_t j, std::size_t index) {
    const std::int32_t x = a[i] - q.a_zero_point;
    const std::int32_t y = b[j] - q.b_zero_point;
    std::int32_t r = x * y;
    if (kind != BinaryKind::kMultiply) {
      const std::int32_t sign = kind == BinaryKind::kSubtract ? -1 : 1;
      r = scaled(x, q.a_scale) + sign * scaled(y, q.b_scale);
    }
    const std::int64_t result = std::int64_t{MultiplyFixedPoint(r, q.out_scale)} + q.out_zero_point;
    out[index] = static_cast<T>(std::clamp(result, std::int64_t{q.lo}, std::int64_t{q.hi}));
  });
}

}  // namespace

void ActivationF32(const Activation& activation, std::span<const float> in, std::span<float> out) {
  WithFormula(activation, [&](auto formula) {
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = formula(in[i]);
  });
}

void LookupS8(std::span<const std::int8_t, 256> table, std::span<const std::int8_t> in,
              std::span<std::int8_t> out) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    out[i] = table[static_cast<std::size_t>(in[i] + 128)];
  }
}

void BinaryF32(BinaryKind kind, const BinaryShape& shape, const Activation& activation,
               std::span<const float> a, std::span<const float> b, std::span<float> out) {
  ForEachElement(shape, [&](std::size_t i, std::size_t j, std::size_t index) {
    out[index] = Compute(kind, a[i], b[j]);
  });
  ActivationF32(activation, out, out);
}

void BinaryS8(BinaryKind kind, const BinaryShape& shape, const BinaryQuantization& q,
              std::span<const std::int8_t> a, std::span<const std::int8_t> b,
              std::span<std::int8_t> out) {
  BinaryIntegers(kind, shape, q, a, b, out);
}

void BinaryFixedS8(BinaryKind kind, const BinaryShape& shape, const FixedBinaryQuantization& q,
                   std::span<const std::int8_t> a, std::span<const std::int8_t> b,
                   std::span<std::int8_t> out) {
  BinaryFixed(kind, shape, q, a, b, out);
}

void BinaryFixedS16(BinaryKind kind, const BinaryShape& shape, const FixedBinaryQuantization& q,
                    std::span<const std::int16_t> a, std::span<const std::int16_t> b,
                    std::span<std::int16_t> out) {
  BinaryFixed(kind, shape, q, a, b, out);
}

void BinaryS16(BinaryKind kind, const BinaryShape& shape, const BinaryQuantization& q,
               std::span<const std::int16_t> a, std::span<const std::int16_t> b,
               std::span<std::int16_t> out) {
  BinaryIntegers(kind, shape, q, a, b, out);
}

}  // namespace octet::kernels::reference
