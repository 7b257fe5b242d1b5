// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/kernels/attention_shapes.h"

namespace octet::kernels {
namespace {

class AttentionTest : public AttentionTestBase {
 protected:
  // What both sets make of random matrices.
  void ExpectCloseToTheReference(const AttentionShape& shape, float tolerance = 3e-6F) {
    const AttentionInputs inputs = RandomInputs(shape);
    EXPECT_LT(RelativeDifference(RunF32(set(), shape, inputs), RunF32(Reference(), shape, inputs)),
              tolerance)
        << shape.heads << " heads, " << shape.queries << " queries, " << shape.keys << " keys, "
        << shape.width << " wide, values " << shape.value_width << " wide";
  }
};

TEST_P(AttentionTest, IsCloseToTheReference) {
  for (const std::size_t queries : {0UL, 1UL, 2UL, 5UL, 49UL, 130UL}) {
    for (const std::size_t keys : {0UL, 1UL, 7UL, 16UL, 33UL, 300UL}) {
      ExpectCloseToTheReference(
          DenseAttention(Size(1, 3), queries, keys, Size(1, 40), Size(1, 70)));
    }
  }
  // Long sums, of results that nearly cancel.
  ExpectCloseToTheReference(DenseAttention(1, 3, 20000, 4, 4), 1e-5F);
}

TEST_P(AttentionTest, TakesMoreKeysAndQueriesThanABlock) {
  for (const std::size_t keys : {511UL, 512UL, 513UL, 1024UL, 1500UL}) {
    for (const std::size_t queries : {1UL, 17UL, 50UL}) {
      ExpectCloseToTheReference(DenseAttention(Size(1, 3), queries, keys, Size(1, 40), Size(1, 70)),
                                1e-5F);
    }
  }
  for (const std::size_t keys : {3UL, 600UL}) {
    ExpectCloseToTheReference(DenseAttention(3, 700, keys, 3, 5), 1e-5F);
  }
}

TEST_P(AttentionTest, TakesEveryScaleAndASoftCap) {
  for (const float scale : {0.0F, -0.5F, 7.0F}) {
    for (const float soft_cap : {0.0F, 2.0F}) {
      AttentionShape shape = DenseAttention(2, 9, 21, 8, 8);
      shape.scale = scale;
      shape.soft_cap = soft_cap;
      ExpectCloseToTheReference(shape);
    }
  }
}

TEST_P(AttentionTest, MasksByHeadQueryAndKey) {
  const std::size_t heads = 2;
  const std::size_t queries = 11;
  for (const std::size_t keys : {19UL, 1100UL}) {
    std::vector<std::uint8_t> keep(heads * queries * keys);
    for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = i % 3 == 0 || i % 7 == 0 ? 1 : 0;
    std::fill_n(keep.begin() + static_cast<std::ptrdiff_t>(3 * keys), keys,
                std::uint8_t{0});  // a query without a key
    const std::vector<AttentionMask> masks = {
        {},
        {.keep = keep.data(), .key_stride = 1},
        {.keep = keep.data(), .query_stride = keys, .key_stride = 1},
        {.keep = keep.data(),
         .head_stride = queries * keys,
         .query_stride = keys,
         .key_stride = 1}};
    for (const AttentionMask& mask : masks) {
      for (const float scale : {0.0F, 1e-30F, 0.3F}) {
        for (const bool is_causal : {false, true}) {
          for (const bool zero_masked_rows : {false, true}) {
            AttentionShape shape = DenseAttention(heads, queries, keys, 5, 6);
            shape.scale = scale;
            shape.mask = mask;
            shape.is_causal = is_causal;
            shape.zero_masked_rows = zero_masked_rows;
            ExpectCloseToTheReference(shape, 1e-5F);
          }
        }
      }
    }
  }
}

TEST_P(AttentionTest, NothingToAttendToIsTheMeanOrNothing) {
  for (const std::size_t keys : {70UL, 1300UL}) {
    const std::vector<std::uint8_t> keep(keys);
    for (const std::size_t queries : {1UL, 70UL}) {
      for (const bool zero_masked_rows : {false, true}) {
        AttentionShape shape = DenseAttention(2, queries, keys, 4, 4);
        shape.mask = {.keep = keep.data(), .key_stride = 1};
        shape.zero_masked_rows = zero_masked_rows;
        ExpectCloseToTheReference(shape, 1e-5F);
      }
    }
  }
}

TEST_P(AttentionTest, TheOnlyKeyMayBeInAnyBlock) {
  constexpr std::size_t kKeys = 1300;
  for (const std::size_t only : {0UL, 511UL, 512UL, 1299UL}) {
    std::vector<std::uint8_t> keep(kKeys);
    keep[only] = 1;
    for (const bool zero_masked_rows : {false, true}) {
      AttentionShape shape = DenseAttention(1, 3, kKeys, 4, 4);
      shape.mask = {.keep = keep.data(), .key_stride = 1};
      shape.zero_masked_rows = zero_masked_rows;
      ExpectCloseToTheReference(shape);
    }
  }
}

TEST_P(AttentionTest, LargeScoresOfALaterBlockCount) {
  const AttentionShape shape = DenseAttention(1, 2, 1300, 4, 4);
  AttentionInputs inputs = RandomInputs(shape);
  for (const std::size_t j : {700UL, 1290UL}) {  // each larger than all before it
    for (std::size_t p = 0; p < shape.width; ++p) {
      inputs.key[j * shape.width + p] = inputs.query[p] * static_cast<float>(j);
    }
  }
  EXPECT_LT(RelativeDifference(RunF32(set(), shape, inputs), RunF32(Reference(), shape, inputs)),
            3e-6F);
}

TEST_P(AttentionTest, IsEqualHoweverQueriesAreSplit) {
  for (const std::size_t keys : {5UL, 100UL, 1100UL}) {
    AttentionShape shape = DenseAttention(3, 400, keys, 7, 9);
    if (keys == 1100) shape.queries = 50;
    std::vector<std::uint8_t> keep(shape.queries * keys, 1);
    for (std::size_t i = 0; i < keep.size(); i += 3) keep[i] = 0;
    shape.mask = {.keep = keep.data(), .query_stride = keys, .key_stride = 1};
    const AttentionInputs inputs = RandomInputs(shape);
    for (const std::size_t at_a_time : {1UL, 13UL, 48UL}) {
      ExpectEqualHoweverSplit(set().attention_f32, set().attention_f32_scratch_byte_size, shape,
                              inputs, at_a_time);
    }
  }
}

TEST_P(AttentionTest, ScratchIsBoundedByTheWidths) {
  if (&set() == &Reference()) GTEST_SKIP() << "the reference has a weight for each key in memory";
  const auto byte_size = set().attention_f32_scratch_byte_size;
  EXPECT_EQ(byte_size(DenseAttention(1, 2000, 100000, 64, 64)),
            byte_size(DenseAttention(8, 20000, 2000, 64, 64)));
  EXPECT_LT(byte_size(DenseAttention(8, 20000, 100000, 64, 64)), 512U * 1024);
}

TEST_P(AttentionTest, AQueryThatIsNotANumberSpoilsNoOther) {
  const AttentionShape shape = DenseAttention(1, 3, 5, 2, 2);
  AttentionInputs inputs = RandomInputs(shape, 1.0F);
  inputs.query[2] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> out = RunF32(set(), shape, inputs);
  for (const std::size_t i : {0U, 1U, 4U, 5U}) EXPECT_LE(std::abs(out[i]), 1.0F) << i;
  for (const std::size_t i : {2U, 3U}) EXPECT_TRUE(std::isnan(out[i])) << i;
}

OCTET_FOR_ALL_KERNEL_SETS(AttentionTest);

}  // namespace
}  // namespace octet::kernels
