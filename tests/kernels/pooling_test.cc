// SPDX-License-Identifier: Apache-2.0
#include "kernels/pooling.h"

#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

const std::vector<Pool2dGeometry>& Geometries() {
  static const std::vector<Pool2dGeometry> geometries = {
      {.in_height = 8,
       .in_width = 8,
       .channels = 3,
       .pool_height = 2,
       .pool_width = 2,
       .stride_height = 2,
       .stride_width = 2},
      {.in_height = 7,
       .in_width = 9,
       .channels = 70,
       .pool_height = 3,
       .pool_width = 3,
       .stride_height = 2,
       .stride_width = 2,
       .pad_top = 1,
       .pad_left = 1,
       .pad_bottom = 1,
       .pad_right = 1},
      {.in_height = 5, .in_width = 4, .channels = 129, .pool_height = 5, .pool_width = 4},
      {.in_height = 6,
       .in_width = 6,
       .channels = 16,
       .pool_height = 3,
       .pool_width = 2,
       .pad_bottom = 1,
       .pad_right = 1}};
  return geometries;
}

class PoolingTest : public KernelSetTest {};

TEST_P(PoolingTest, FloatsAreEqualToTheBit) {
  for (const Pool2dGeometry& g : Geometries()) {
    for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
      const auto in = Floats(3 * g.InSize(), -5.0F, 5.0F);
      std::vector<float> got(3 * g.OutSize());
      std::vector<float> wanted(got.size());
      set().pool2d_f32(g, kind, 3, in, got);
      Reference().pool2d_f32(g, kind, 3, in, wanted);
      EXPECT_TRUE(SameBits(got, wanted));
    }
  }
}

TEST_P(PoolingTest, IntegersAreEqual) {
  for (const Pool2dGeometry& g : Geometries()) {
    for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage, PoolKind::kAverageHalfUp}) {
      const auto in = Bytes(3 * g.InSize());
      std::vector<std::int8_t> got(3 * g.OutSize());
      std::vector<std::int8_t> wanted(got.size());
      set().pool2d_s8(g, kind, 3, in, got);
      Reference().pool2d_s8(g, kind, 3, in, wanted);
      EXPECT_EQ(got, wanted);
    }
  }
}

TEST_P(PoolingTest, Int16sAreEqual) {
  for (const Pool2dGeometry& g : Geometries()) {
    for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage, PoolKind::kAverageHalfUp}) {
      const auto in = Shorts(3 * g.InSize());
      std::vector<std::int16_t> got(3 * g.OutSize());
      std::vector<std::int16_t> wanted(got.size());
      set().pool2d_s16(g, kind, 3, in, got);
      Reference().pool2d_s16(g, kind, 3, in, wanted);
      EXPECT_EQ(got, wanted);
    }
  }
}

TEST_P(PoolingTest, Int16AveragesOfManyPixelsDoNotOverflow) {
  for (const std::size_t size : {181UL, 182UL, 300UL}) {
    const Pool2dGeometry g = {
        .in_height = size, .in_width = size, .pool_height = size, .pool_width = size};
    for (const int value : {-32768, 32767}) {
      const std::vector<std::int16_t> in(g.InSize(), static_cast<std::int16_t>(value));
      std::vector<std::int16_t> out(1);
      for (const PoolKind kind : {PoolKind::kAverage, PoolKind::kAverageHalfUp}) {
        set().pool2d_s16(g, kind, 1, in, out);
        EXPECT_EQ(out[0], value);
      }
    }
  }
}

TEST_P(PoolingTest, AnAverageCountsPixelsInsideTheImageOnly) {
  const Pool2dGeometry g = {.in_height = 2,
                            .in_width = 2,
                            .pool_height = 2,
                            .pool_width = 2,
                            .stride_height = 2,
                            .stride_width = 2,
                            .pad_top = 1,
                            .pad_left = 1,
                            .pad_bottom = 1,
                            .pad_right = 1};
  std::vector<float> out(4);
  set().pool2d_f32(g, PoolKind::kAverage, 1, std::vector<float>{1, 2, 3, 4}, out);
  EXPECT_EQ(out, (std::vector<float>{1, 2, 3, 4}));
}

TEST_P(PoolingTest, IntegerAveragesRoundHalfAwayFromZero) {
  const Pool2dGeometry g = {.in_height = 1, .in_width = 2, .channels = 3, .pool_width = 2};
  std::vector<std::int8_t> out(3);
  set().pool2d_s8(g, PoolKind::kAverage, 1, std::vector<std::int8_t>{1, -1, 127, 2, -2, 127}, out);
  EXPECT_EQ(out, (std::vector<std::int8_t>{2, -2, 127}));
  std::vector<std::int16_t> wide(3);
  set().pool2d_s16(g, PoolKind::kAverage, 1, std::vector<std::int16_t>{1, -1, 32767, 2, -2, 32767},
                   wide);
  EXPECT_EQ(wide, (std::vector<std::int16_t>{2, -2, 32767}));
}

OCTET_FOR_ALL_KERNEL_SETS(PoolingTest);

}  // namespace
}  // namespace octet::kernels
