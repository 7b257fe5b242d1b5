// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

class AttentionTest : public KernelSetTest {
 protected:
  // [positions, heads, width], as a fully connected layer makes them.
  static AttentionShape Dense(std::size_t heads, std::size_t queries, std::size_t keys,
                              std::size_t width, std::size_t value_width) {
    return {.heads = heads,
            .queries = queries,
            .keys = keys,
            .width = width,
            .value_width = value_width,
            .query_head_stride = width,
            .query_stride = heads * width,
            .key_stride = width,
            .value_stride = value_width,
            .out_head_stride = value_width,
            .out_stride = heads * value_width,
            .scale = 0.3F};
  }

  // What both sets make of random matrices.
  void ExpectCloseToTheReference(const AttentionShape& shape, float tolerance = 3e-6F) {
    const auto query = Floats(shape.heads * shape.queries * shape.width, -2.0F, 2.0F);
    const auto key = Floats(shape.keys * shape.width, -2.0F, 2.0F);
    const auto value = Floats(shape.keys * shape.value_width, -2.0F, 2.0F);
    const auto run = [&](const KernelSet& kernels) {
      std::vector<float> out(shape.heads * shape.queries * shape.value_width, 77.0F);
      const Scratch scratch(kernels.attention_f32_scratch_byte_size(shape));
      kernels.attention_f32(shape, query.data(), key.data(), value.data(), out.data(),
                            scratch.span());
      return out;
    };
    EXPECT_LT(RelativeDifference(run(set()), run(Reference())), tolerance)
        << shape.heads << " heads, " << shape.queries << " queries, " << shape.keys << " keys, "
        << shape.width << " wide, values " << shape.value_width << " wide";
  }
};

TEST_P(AttentionTest, IsCloseToTheReference) {
  for (const std::size_t queries : {0UL, 1UL, 2UL, 5UL, 49UL, 130UL}) {
    for (const std::size_t keys : {0UL, 1UL, 7UL, 16UL, 33UL, 300UL}) {
      ExpectCloseToTheReference(Dense(Size(1, 3), queries, keys, Size(1, 40), Size(1, 70)));
    }
  }
  // Long sums, of results that nearly cancel.
  ExpectCloseToTheReference(Dense(1, 3, 20000, 4, 4), 1e-5F);
}

TEST_P(AttentionTest, TakesEveryScaleAndASoftCap) {
  for (const float scale : {0.0F, -0.5F, 7.0F}) {
    for (const float soft_cap : {0.0F, 2.0F}) {
      AttentionShape shape = Dense(2, 9, 21, 8, 8);
      shape.scale = scale;
      shape.soft_cap = soft_cap;
      ExpectCloseToTheReference(shape);
    }
  }
}

TEST_P(AttentionTest, MasksByHeadQueryAndKey) {
  const std::size_t heads = 2;
  const std::size_t queries = 11;
  const std::size_t keys = 19;
  std::vector<std::uint8_t> keep(heads * queries * keys);
  for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = i % 3 == 0 || i % 7 == 0 ? 1 : 0;
  std::fill_n(keep.begin() + 3 * keys, keys, std::uint8_t{0});  // a query without a key
  const std::vector<AttentionMask> masks = {
      {},
      {.keep = keep.data(), .key_stride = 1},
      {.keep = keep.data(), .query_stride = keys, .key_stride = 1},
      {.keep = keep.data(), .head_stride = queries * keys, .query_stride = keys, .key_stride = 1}};
  for (const AttentionMask& mask : masks) {
    for (const float scale : {0.0F, 0.3F}) {
      for (const bool is_causal : {false, true}) {
        for (const bool zero_masked_rows : {false, true}) {
          AttentionShape shape = Dense(heads, queries, keys, 5, 6);
          shape.scale = scale;
          shape.mask = mask;
          shape.is_causal = is_causal;
          shape.zero_masked_rows = zero_masked_rows;
          ExpectCloseToTheReference(shape);
        }
      }
    }
  }
}

TEST_P(AttentionTest, NothingToAttendToIsTheMeanOrNothing) {
  const std::vector<std::uint8_t> keep(70);
  for (const std::size_t queries : {1UL, 70UL}) {
    for (const bool zero_masked_rows : {false, true}) {
      AttentionShape shape = Dense(2, queries, keep.size(), 4, 4);
      shape.mask = {.keep = keep.data(), .key_stride = 1};
      shape.zero_masked_rows = zero_masked_rows;
      ExpectCloseToTheReference(shape);
    }
  }
}

TEST_P(AttentionTest, AQueryThatIsNotANumberSpoilsNoOther) {
  const AttentionShape shape = Dense(1, 3, 5, 2, 2);
  auto query = Floats(6, -1.0F, 1.0F);
  query[2] = std::numeric_limits<float>::quiet_NaN();
  const auto key = Floats(10, -1.0F, 1.0F);
  const auto value = Floats(10, -1.0F, 1.0F);
  std::vector<float> out(6);
  const Scratch scratch(set().attention_f32_scratch_byte_size(shape));
  set().attention_f32(shape, query.data(), key.data(), value.data(), out.data(), scratch.span());
  for (const std::size_t i : {0U, 1U, 4U, 5U}) EXPECT_LE(std::abs(out[i]), 1.0F) << i;
  for (const std::size_t i : {2U, 3U}) EXPECT_TRUE(std::isnan(out[i])) << i;
}

OCTET_FOR_ALL_KERNEL_SETS(AttentionTest);

}  // namespace
}  // namespace octet::kernels
