// SPDX-License-Identifier: Apache-2.0
#include "kernels/row_quantize.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class RowQuantizeTest : public KernelSetTest {
 protected:
  struct Rows {
    std::vector<std::int8_t> q;
    std::vector<float> scale;
  };
  static Rows Quantize(const KernelSet& set, const RowQuantizeSpec& spec,
                       const std::vector<float>& in) {
    Rows rows = {std::vector<std::int8_t>(in.size()), std::vector<float>(spec.num_rows)};
    set.quantize_rows_s8(spec, in, rows.q, rows.scale);
    return rows;
  }
};

TEST_P(RowQuantizeTest, RowsGiveKerasGoldenValues) {
  const Rows rows =
      Quantize(set(), {.num_rows = 2, .row_size = 3}, {0.1F, -0.2F, 0.3F, 0.0F, 0.0F, 0.0F});
  EXPECT_EQ(rows.q, (std::vector<std::int8_t>{42, -85, 127, 0, 0, 0}));
  EXPECT_FLOAT_EQ(rows.scale[0], 423.33319092F);
  EXPECT_FLOAT_EQ(rows.scale[1], 1.27e9F);
}

TEST_P(RowQuantizeTest, RowsAreEqualToTheBit) {
  for (const std::size_t size : {1UL, 2UL, 7UL, 16UL, 31UL, 33UL, 64UL, 100UL, 769UL}) {
    for (const std::int32_t range : {127, 7}) {
      auto in = Floats(5 * size, -3.0F, 3.0F);
      in[size / 2] = kNan;
      in[size] = kInfinity;
      in[2 * size] = 1e-42F;
      in[3 * size] = -std::numeric_limits<float>::max();
      const RowQuantizeSpec spec = {.num_rows = 5, .row_size = size, .range = range};
      const Rows got = Quantize(set(), spec, in);
      const Rows wanted = Quantize(Reference(), spec, in);
      EXPECT_EQ(got.q, wanted.q);
      EXPECT_TRUE(SameBits(got.scale, wanted.scale));
    }
  }
}

TEST_P(RowQuantizeTest, RowsInHalfStepsAreEqualToTheBit) {
  for (const std::size_t size : {1UL, 7UL, 16UL, 33UL, 769UL}) {
    for (const float epsilon : {0.0F, 1.1920929e-7F}) {
      auto in = Floats(5 * size, -3.0F, 3.0F);
      in[size / 2] = kNan;
      in[size] = kInfinity;
      for (std::size_t i = 2 * size; i < 3 * size; ++i) in[i] = 0.0F;
      in[3 * size] = -std::numeric_limits<float>::max();
      const RowQuantizeSpec spec = {.num_rows = 5,
                                    .row_size = size,
                                    .epsilon = epsilon,
                                    .formula = RowScaleFormula::kHalfSteps};
      const Rows got = Quantize(set(), spec, in);
      const Rows wanted = Quantize(Reference(), spec, in);
      EXPECT_EQ(got.q, wanted.q);
      EXPECT_TRUE(SameBits(got.scale, wanted.scale));
    }
  }
}

// torch.clamp(torch.round(x * (1 / (x.abs().max() / 127.5))), -128, 127)
TEST_P(RowQuantizeTest, HalfStepsReachTheLowestIntegerAndClipTheHighest) {
  const RowQuantizeSpec spec = {.num_rows = 2,
                                .row_size = 4,
                                .epsilon = 1.1920929e-7F,
                                .formula = RowScaleFormula::kHalfSteps};
  const Rows rows = Quantize(set(), spec, {255.0F, -255.0F, 1.0F, 3.0F, 0.0F, 0.0F, 0.0F, 0.0F});
  EXPECT_EQ(rows.q, (std::vector<std::int8_t>{127, -128, 0, 2, 0, 0, 0, 0}));
  EXPECT_EQ(rows.scale[0], 0.5F);
  EXPECT_FLOAT_EQ(rows.scale[1], 8388608.0F);
}

TEST_P(RowQuantizeTest, NotFiniteRowsAreDefined) {
  const Rows rows = Quantize(set(), {.num_rows = 4, .row_size = 2, .epsilon = 0.0F},
                             {kNan, 2.0F, -kInfinity, 2.0F, 0.0F, 0.0F, kNan, kNan});
  EXPECT_EQ(rows.q, (std::vector<std::int8_t>{0, 127, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(rows.scale, (std::vector<float>{63.5F, 0.0F, 1.0F, 1.0F}));
}

TEST_P(RowQuantizeTest, TiesRoundToEven) {
  const Rows rows = Quantize(set(), {.num_rows = 1, .row_size = 7, .epsilon = 0.0F},
                             {127.0F, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F});
  EXPECT_EQ(rows.q, (std::vector<std::int8_t>{127, 0, 2, 2, 0, -2, -2}));
}

TEST_P(RowQuantizeTest, TensorsAreEqualToTheBit) {
  auto in = Floats(1000, -40.0F, 40.0F);
  in[0] = kNan;
  in[1] = kInfinity;
  in[2] = -kInfinity;
  in[3] = 3e38F;
  for (std::size_t i = 4; i < 50; ++i) in[i] = 0.125F * static_cast<float>(i);
  for (const float scale : {0.25F, 0.1F, 1e-30F, 3e5F}) {
    for (const int zero_point : {0, -128, 127, 3}) {
      std::vector<std::int8_t> got(in.size());
      std::vector<std::int8_t> wanted(in.size());
      set().quantize_s8(Scale{scale}, ZeroPoint{zero_point}, in, got);
      Reference().quantize_s8(Scale{scale}, ZeroPoint{zero_point}, in, wanted);
      EXPECT_EQ(got, wanted);
      EXPECT_EQ(got[0], zero_point);

      std::vector<float> got_real(in.size());
      std::vector<float> wanted_real(in.size());
      set().dequantize_s8(Scale{scale}, ZeroPoint{zero_point}, wanted, got_real);
      Reference().dequantize_s8(Scale{scale}, ZeroPoint{zero_point}, wanted, wanted_real);
      EXPECT_TRUE(SameBits(got_real, wanted_real));
    }
  }
}

TEST_P(RowQuantizeTest, Int16TensorsAreEqualToTheBit) {
  auto in = Floats(1000, -40.0F, 40.0F);
  in[0] = kNan;
  in[1] = kInfinity;
  in[2] = -kInfinity;
  in[3] = 3e38F;
  for (std::size_t i = 4; i < 50; ++i) in[i] = 0.125F * static_cast<float>(i);
  for (const float scale : {0.25F, 0.001F, 1e-30F, 3e5F}) {
    std::vector<std::int16_t> got(in.size());
    std::vector<std::int16_t> wanted(in.size());
    set().quantize_s16(Scale{scale}, in, got);
    Reference().quantize_s16(Scale{scale}, in, wanted);
    EXPECT_EQ(got, wanted);
    EXPECT_EQ(got[0], 0);
    EXPECT_EQ(got[1], 32767);
    EXPECT_EQ(got[2], -32768);

    std::vector<float> got_real(in.size());
    std::vector<float> wanted_real(in.size());
    set().dequantize_s16(Scale{scale}, wanted, got_real);
    Reference().dequantize_s16(Scale{scale}, wanted, wanted_real);
    EXPECT_TRUE(SameBits(got_real, wanted_real));
  }
}

TEST_P(RowQuantizeTest, RoundsBeforeItAddsTheZeroPoint) {
  // Adding first would give 2, 2, 4, 4, 6.
  std::vector<std::int8_t> out(5);
  set().quantize_s8(Scale{1.0F}, ZeroPoint{1}, std::vector<float>{0.5F, 1.5F, 2.5F, 3.5F, 4.5F},
                    out);
  EXPECT_EQ(out, (std::vector<std::int8_t>{1, 3, 3, 5, 5}));
}

TEST_P(RowQuantizeTest, RequantizationIsEqualToTheBit) {
  const auto in = Bytes(777);
  for (const float multiplier : {0.5F, 1.0F, 0.3F, 40.0F}) {
    const RequantizeSpec spec = {
        .multiplier = multiplier, .in_zero_point = ZeroPoint{9}, .out_zero_point = ZeroPoint{-5}};
    std::vector<std::int8_t> got(in.size());
    std::vector<std::int8_t> wanted(in.size());
    set().requantize_s8(spec, in, got);
    Reference().requantize_s8(spec, in, wanted);
    EXPECT_EQ(got, wanted);
  }
}

OCTET_FOR_ALL_KERNEL_SETS(RowQuantizeTest);

}  // namespace
}  // namespace octet::kernels
