// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise.h"

#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "tests/kernels/fixed_point_scales.h"
#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

constexpr BinaryKind kKinds[] = {BinaryKind::kAdd,    BinaryKind::kSubtract, BinaryKind::kMultiply,
                                 BinaryKind::kDivide, BinaryKind::kMaximum,  BinaryKind::kMinimum};

const std::vector<BinaryShape>& Shapes() {
  static const std::vector<BinaryShape> shapes = {
      {.rank = 1, .dimensions = {105}, .a_strides = {1}, .b_strides = {1}},
      {.rank = 1, .dimensions = {105}, .a_strides = {1}, .b_strides = {0}},
      {.rank = 1, .dimensions = {105}, .a_strides = {0}, .b_strides = {1}},
      // a row added to a matrix, and a column
      {.rank = 2, .dimensions = {5, 21}, .a_strides = {21, 1}, .b_strides = {0, 1}},
      {.rank = 2, .dimensions = {5, 21}, .a_strides = {21, 1}, .b_strides = {1, 0}},
      {.rank = 4,
       .dimensions = {2, 3, 4, 5},
       .a_strides = {0, 20, 0, 1},
       .b_strides = {12, 4, 1, 0}},
      // a transposed operand
      {.rank = 2, .dimensions = {10, 9}, .a_strides = {9, 1}, .b_strides = {1, 10}}};
  return shapes;
}

std::size_t OutSize(const BinaryShape& shape) {
  std::size_t size = 1;
  for (std::size_t d = 0; d < shape.rank; ++d) size *= shape.dimensions[d];
  return size;
}

class ElementwiseTest : public KernelSetTest {};

TEST_P(ElementwiseTest, FloatsAreEqualToTheBit) {
  for (const BinaryShape& shape : Shapes()) {
    for (const BinaryKind kind : kKinds) {
      auto a = Floats(200, -5.0F, 5.0F);
      const auto b = Floats(200, -5.0F, 5.0F);
      a[0] = std::numeric_limits<float>::quiet_NaN();
      std::vector<float> got(OutSize(shape));
      std::vector<float> wanted(got.size());
      const Activation relu = DefaultActivation(ActivationKind::kRelu);
      set().binary_f32(kind, shape, relu, a, b, got);
      Reference().binary_f32(kind, shape, relu, a, b, wanted);
      EXPECT_TRUE(SameBits(got, wanted));
    }
  }
}

TEST_P(ElementwiseTest, PowersAreClose) {
  const BinaryShape shape = Shapes()[0];
  const auto a = Floats(105, 0.1F, 5.0F);
  const auto b = Floats(105, -3.0F, 3.0F);
  std::vector<float> got(105);
  std::vector<float> wanted(105);
  set().binary_f32(BinaryKind::kPower, shape, {}, a, b, got);
  Reference().binary_f32(BinaryKind::kPower, shape, {}, a, b, wanted);
  EXPECT_LT(RelativeDifference(got, wanted), 1e-6F);
}

TEST_P(ElementwiseTest, IntegersAreEqual) {
  const BinaryQuantization quantization = {.a_scale = 0.03F,
                                           .a_zero_point = -4,
                                           .b_scale = 0.011F,
                                           .b_zero_point = 100,
                                           .out_scale = 0.02F,
                                           .out_zero_point = 7,
                                           .lo = 7,
                                           .hi = 125};
  for (const BinaryShape& shape : Shapes()) {
    for (const BinaryKind kind : {BinaryKind::kAdd, BinaryKind::kMultiply}) {
      const auto a = Bytes(200);
      const auto b = Bytes(200);
      std::vector<std::int8_t> got(OutSize(shape));
      std::vector<std::int8_t> wanted(got.size());
      set().binary_s8(kind, shape, quantization, a, b, got);
      Reference().binary_s8(kind, shape, quantization, a, b, wanted);
      EXPECT_EQ(got, wanted);
    }
  }
}

TEST_P(ElementwiseTest, IntegersInFixedPointAreEqual) {
  const std::vector<FixedPointScale> scales = FixedPointScales(12);
  for (const BinaryShape& shape : Shapes()) {
    for (std::size_t i = 0; i < scales.size(); ++i) {
      for (const BinaryKind kind :
           {BinaryKind::kAdd, BinaryKind::kSubtract, BinaryKind::kMultiply}) {
        const FixedBinaryQuantization quantization = {.a_scale = scales[2],
                                                      .a_zero_point = -4,
                                                      .b_scale = scales[i % 3],
                                                      .b_zero_point = 100,
                                                      .out_scale = scales[i],
                                                      .out_zero_point = 7,
                                                      .lo = -100,
                                                      .hi = 125};
        const auto a = Bytes(200);
        const auto b = Bytes(200);
        std::vector<std::int8_t> got(OutSize(shape));
        std::vector<std::int8_t> wanted(got.size());
        set().binary_fixed_s8(kind, shape, quantization, a, b, got);
        Reference().binary_fixed_s8(kind, shape, quantization, a, b, wanted);
        EXPECT_EQ(got, wanted);
      }
    }
  }
}

TEST_P(ElementwiseTest, Int16sInFixedPointAreEqual) {
  const std::vector<FixedPointScale> scales = FixedPointScales(12);
  for (const BinaryShape& shape : Shapes()) {
    for (std::size_t i = 0; i < scales.size(); ++i) {
      if (scales[i].Real() > 4.0) continue;  // leaves int32
      for (const BinaryKind kind :
           {BinaryKind::kAdd, BinaryKind::kSubtract, BinaryKind::kMultiply}) {
        const FixedBinaryQuantization quantization = {.a_scale = scales[2],
                                                      .b_scale = scales[i % 3],
                                                      .out_scale = scales[i],
                                                      .lo = -32000,
                                                      .hi = 32767};
        const auto a = Shorts(200);
        const auto b = Shorts(200);
        std::vector<std::int16_t> got(OutSize(shape));
        std::vector<std::int16_t> wanted(got.size());
        set().binary_fixed_s16(kind, shape, quantization, a, b, got);
        Reference().binary_fixed_s16(kind, shape, quantization, a, b, wanted);
        EXPECT_EQ(got, wanted);
      }
    }
  }
}

TEST_P(ElementwiseTest, Int16sAreEqual) {
  const BinaryQuantization quantization = {
      .a_scale = 3e-5F, .b_scale = 1.1e-5F, .out_scale = 2e-5F, .lo = -20000, .hi = 32767};
  for (const BinaryShape& shape : Shapes()) {
    for (const BinaryKind kind : {BinaryKind::kAdd, BinaryKind::kMultiply}) {
      const auto a = Shorts(200);
      const auto b = Shorts(200);
      std::vector<std::int16_t> got(OutSize(shape));
      std::vector<std::int16_t> wanted(got.size());
      set().binary_s16(kind, shape, quantization, a, b, got);
      Reference().binary_s16(kind, shape, quantization, a, b, wanted);
      EXPECT_EQ(got, wanted);
    }
  }
}

OCTET_FOR_ALL_KERNEL_SETS(ElementwiseTest);

}  // namespace
}  // namespace octet::kernels
