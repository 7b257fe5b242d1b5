// SPDX-License-Identifier: Apache-2.0
// ReducedAttention of kernels/attention.h.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "kernels/attention.h"
#include "kernels/cpu_features.h"
#include "tests/kernels/attention_shapes.h"

namespace octet::kernels {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinite = std::numeric_limits<float>::infinity();

bool IsKept(const AttentionShape& shape, std::size_t head, std::size_t t, std::size_t j) {
  const AttentionMask& mask = shape.mask;
  if (shape.is_causal && j > t) return false;
  return mask.keep == nullptr ||
         mask.keep[head * mask.head_stride + t * mask.query_stride + j * mask.key_stride] != 0;
}

// The contract's bound for a query, without the largest value.
double Bound(const AttentionShape& shape, const AttentionInputs& inputs, std::size_t head,
             std::size_t t) {
  double a = 0.0;
  const float* query =
      inputs.query.data() + head * shape.query_head_stride + t * shape.query_stride;
  for (std::size_t j = 0; j < shape.keys; ++j) {
    if (!IsKept(shape, head, t, j)) continue;
    double sum = 0.0;
    for (std::size_t p = 0; p < shape.width; ++p) {
      sum += std::abs(double{query[p]} * double{inputs.key[j * shape.key_stride + p]});
    }
    a = std::max(a, sum * std::abs(double{shape.scale}));
  }
  return (1.0 + a) / 128;
}

float LargestOf(std::span<const float> values) {
  float largest = 0.0F;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

class ReducedAttentionTest : public AttentionTestBase {
 protected:
  std::vector<float> RunReduced(const AttentionShape& shape, const AttentionInputs& inputs) const {
    return Run(reduced_->run, reduced_->scratch_byte_size, shape, inputs);
  }

  void ExpectWithinItsBound(const AttentionShape& shape) {
    const AttentionInputs inputs = RandomInputs(shape);
    const std::vector<float> got = RunReduced(shape, inputs);
    const std::vector<float> want = RunF32(Reference(), shape, inputs);
    const double largest = LargestOf(inputs.value);
    for (std::size_t head = 0; head < shape.heads; ++head) {
      for (std::size_t t = 0; t < shape.queries; ++t) {
        const double bound = Bound(shape, inputs, head, t) * largest;
        const std::size_t row = head * shape.out_head_stride + t * shape.out_stride;
        for (std::size_t e = 0; e < shape.value_width; ++e) {
          ASSERT_LE(std::abs(double{got[row + e]} - double{want[row + e]}), bound)
              << "head " << head << ", query " << t << ", element " << e << " of " << shape.heads
              << " heads, " << shape.queries << " queries, " << shape.keys << " keys, "
              << shape.width << " wide, values " << shape.value_width << " wide";
        }
      }
    }
  }

  const ReducedAttention* const reduced_ = set().reduced_attention();
};

TEST_P(ReducedAttentionTest, IsWithinItsBoundForAllSizes) {
  for (const std::size_t keys :
       {0UL, 1UL, 2UL, 31UL, 32UL, 33UL, 63UL, 255UL, 256UL, 257UL, 600UL}) {
    for (const std::size_t queries : {0UL, 1UL, 15UL, 16UL, 17UL, 32UL, 33UL}) {
      ExpectWithinItsBound(DenseAttention(Size(1, 3), queries, keys, Size(1, 80), Size(1, 150)));
    }
  }
  for (const std::size_t width : {1UL, 31UL, 32UL, 33UL, 64UL, 65UL}) {
    for (const std::size_t value_width : {1UL, 31UL, 32UL, 33UL, 64UL, 129UL}) {
      ExpectWithinItsBound(DenseAttention(2, 19, 37, width, value_width));
    }
  }
  ExpectWithinItsBound(DenseAttention(3, 700, 300, 3, 5));  // more rows than share a packing
}

TEST_P(ReducedAttentionTest, TakesEveryScaleAndASoftCap) {
  for (const float scale : {0.0F, 1e-30F, -0.5F, 1.0F}) {
    for (const float soft_cap : {0.0F, 2.0F}) {
      AttentionShape shape = DenseAttention(2, 9, 300, 8, 8);
      shape.scale = scale;
      shape.soft_cap = soft_cap;
      ExpectWithinItsBound(shape);
    }
  }
}

TEST_P(ReducedAttentionTest, MasksByHeadQueryAndKey) {
  const std::size_t heads = 2;
  const std::size_t queries = 18;
  for (const std::size_t keys : {19UL, 530UL}) {
    std::vector<std::uint8_t> keep(heads * queries * keys);
    for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = i % 3 == 0 || i % 7 == 0 ? 1 : 0;
    std::fill_n(keep.begin() + static_cast<std::ptrdiff_t>(3 * keys), keys, std::uint8_t{0});
    std::fill_n(keep.begin() + static_cast<std::ptrdiff_t>(5 * keys), keys - 1, std::uint8_t{0});
    const std::vector<AttentionMask> masks = {
        {},
        {.keep = keep.data(), .key_stride = 1},
        {.keep = keep.data(), .query_stride = 1},
        {.keep = keep.data(), .query_stride = keys, .key_stride = 1},
        {.keep = keep.data(), .head_stride = keys, .key_stride = 1},
        {.keep = keep.data(),
         .head_stride = queries * keys,
         .query_stride = keys,
         .key_stride = 1}};
    for (const AttentionMask& mask : masks) {
      for (const bool is_causal : {false, true}) {
        for (const bool zero_masked_rows : {false, true}) {
          AttentionShape shape = DenseAttention(heads, queries, keys, 5, 6);
          shape.mask = mask;
          shape.is_causal = is_causal;
          shape.zero_masked_rows = zero_masked_rows;
          ExpectWithinItsBound(shape);
        }
      }
    }
  }
}

TEST_P(ReducedAttentionTest, NothingToAttendToIsTheMeanOrNothing) {
  for (const std::size_t keys : {70UL, 600UL}) {
    const std::vector<std::uint8_t> keep(keys);
    for (const bool zero_masked_rows : {false, true}) {
      AttentionShape shape = DenseAttention(2, 20, keys, 4, 4);
      shape.mask = {.keep = keep.data(), .key_stride = 1};
      shape.zero_masked_rows = zero_masked_rows;
      ExpectWithinItsBound(shape);
      if (!zero_masked_rows) continue;
      for (const float result : RunReduced(shape, RandomInputs(shape))) EXPECT_EQ(result, 0.0F);
    }
  }
}

// One key has the weight 1: a result is its value, rounded.
TEST_P(ReducedAttentionTest, RoundsToTheNearestAndTiesToEven) {
  struct Case {
    float value;
    float rounded;
  };
  const std::vector<Case> cases = {
      {0.0F, 0.0F},
      {1.0F, 1.0F},
      {1.0F + 0x1p-8F, 1.0F},
      {1.0F + 0x1p-8F + 0x1p-23F, 1.0F + 0x1p-7F},
      {1.0F + 0x3p-8F, 1.0F + 0x1p-6F},
      {-1.0F - 0x3p-8F, -1.0F - 0x1p-6F},
      {0x1.FFp+0F, 2.0F},
      {1e-30F, 0x1.44p-100F},
      {0x1.FEp+127F, 0x1.FEp+127F},
      {std::numeric_limits<float>::max(), kInfinite},
      {-kInfinite, -kInfinite},
      {1e-40F, 0.0F},
  };
  AttentionShape shape = DenseAttention(1, 1, 1, 1, cases.size());
  AttentionInputs inputs = {.query = {3.0F}, .key = {5.0F}, .value = {}};
  for (const Case& c : cases) inputs.value.push_back(c.value);
  const std::vector<float> got = RunReduced(shape, inputs);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(got[i], cases[i].rounded) << cases[i].value;
  }
}

TEST_P(ReducedAttentionTest, ANumberThatIsNoneStaysSo) {
  // The payload is in bits that bfloat16 lacks: truncated, it would be infinity.
  const float low_payload = __builtin_bit_cast(float, 0x7F800001U);
  for (const float nan : {kNan, -kNan, low_payload}) {
    const AttentionShape shape = DenseAttention(1, 20, 40, 3, 2);
    AttentionInputs inputs = RandomInputs(shape);
    inputs.query[4 * shape.width + 1] = nan;
    const std::vector<float> out = RunReduced(shape, inputs);
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isnan(out[i]), i / 2 == 4) << i;

    inputs = RandomInputs(shape);
    inputs.value[7 * shape.value_width] = nan;
    const std::vector<float> spoiled = RunReduced(shape, inputs);
    for (std::size_t i = 0; i < spoiled.size(); ++i) {
      EXPECT_EQ(std::isnan(spoiled[i]), i % 2 == 0) << i;
    }
  }
}

TEST_P(ReducedAttentionTest, WhatIsMaskedDoesNotCount) {
  const AttentionShape dense = DenseAttention(2, 20, 300, 5, 6);
  std::vector<std::uint8_t> keep(dense.keys, 1);
  AttentionShape shape = dense;
  shape.mask = {.keep = keep.data(), .key_stride = 1};
  AttentionInputs inputs = RandomInputs(shape);
  std::vector<float> key = inputs.key;
  for (std::size_t j = 0; j < dense.keys; j += 4) {
    keep[j] = 0;
    const float worst = j % 3 == 0 ? kNan : j % 3 == 1 ? kInfinite : 3e38F;
    std::fill_n(key.begin() + static_cast<std::ptrdiff_t>(j * dense.width), dense.width, worst);
  }
  const std::vector<float> want = RunReduced(shape, inputs);
  inputs.key = key;
  EXPECT_TRUE(SameBits(RunReduced(shape, inputs), want));
}

TEST_P(ReducedAttentionTest, LargeScoresGiveAMeanOfValues) {
  for (const float largest : {30.0F, 1e4F, 1e15F}) {
    const AttentionShape shape = DenseAttention(2, 33, 600, 40, 33);
    AttentionInputs inputs = RandomInputs(shape);
    for (float& x : inputs.query) x *= largest;
    for (const float result : RunReduced(shape, inputs)) EXPECT_LE(std::abs(result), 2.001F);
  }
}

// The sum of the weights is that of the rounded ones.
TEST_P(ReducedAttentionTest, TheMeanOfEqualValuesIsThatValue) {
  const AttentionShape shape = DenseAttention(1, 40, 600, 16, 3);
  AttentionInputs inputs = RandomInputs(shape);
  std::fill(inputs.value.begin(), inputs.value.end(), 1.5F);
  for (const float result : RunReduced(shape, inputs)) EXPECT_NEAR(result, 1.5F, 5e-6F);
}

TEST_P(ReducedAttentionTest, IsEqualHoweverQueriesAreSplit) {
  for (const std::size_t keys : {5UL, 100UL, 600UL}) {
    AttentionShape shape = DenseAttention(3, keys == 5 ? 400 : 50, keys, 37, 41);
    std::vector<std::uint8_t> keep(shape.queries * keys, 1);
    for (std::size_t i = 0; i < keep.size(); i += 3) keep[i] = 0;
    shape.mask = {.keep = keep.data(), .query_stride = keys, .key_stride = 1};
    const AttentionInputs inputs = RandomInputs(shape);
    for (const std::size_t at_a_time : {1UL, 13UL, 32UL}) {
      ExpectEqualHoweverSplit(reduced_->run, reduced_->scratch_byte_size, shape, inputs, at_a_time);
    }
  }
}

TEST_P(ReducedAttentionTest, ScratchIsBoundedByTheWidths) {
  const auto byte_size = reduced_->scratch_byte_size;
  EXPECT_EQ(byte_size(DenseAttention(1, 2000, 100000, 64, 64)),
            byte_size(DenseAttention(8, 20000, 2000, 64, 64)));
  EXPECT_LT(byte_size(DenseAttention(8, 20000, 100000, 64, 64)), 256U * 1024);
}

// A little more than what kernels/attention.h says was measured.
TEST_P(ReducedAttentionTest, ErrorsOfNormalDataAreFarBelowTheBound) {
  struct Case {
    float spread;  // of scores
    double error;  // of the largest value
  };
  for (const Case& c : {Case{1.0F, 4e-3}, Case{4.0F, 1.6e-2}}) {
    for (const std::size_t keys : {16UL, 128UL, 600UL}) {
      AttentionShape shape = DenseAttention(1, 32, keys, 64, 64);
      shape.scale = 0.125F;
      AttentionInputs inputs = RandomInputs(shape);
      std::normal_distribution<float> normal;
      for (std::vector<float>* matrix : {&inputs.query, &inputs.key, &inputs.value}) {
        for (float& x : *matrix) x = normal(random_);
      }
      for (float& x : inputs.query) x *= c.spread;
      const std::vector<float> got = RunReduced(shape, inputs);
      const std::vector<float> want = RunF32(Reference(), shape, inputs);
      double error = 0.0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        error = std::max(error, std::abs(double{got[i]} - double{want[i]}));
      }
      EXPECT_LE(error, c.error * LargestOf(inputs.value)) << keys << " keys";
      EXPECT_GT(error, 0.0);
    }
  }
}

TEST(ReducedAttentionSetTest, IsOfAmxAlone) {
  for (const KernelSet* set : AllKernelSets()) {
    if (!set->runs_here()) continue;
    const bool is_there = set->name == "amx" && DetectCpuFeatures().amx_bf16;
    ASSERT_EQ(set->reduced_attention() != nullptr, is_there) << set->name;
    if (!is_there) continue;
    EXPECT_EQ(set->reduced_attention()->name, "attention_bf16");
  }
}

std::vector<const KernelSet*> SetsWithReducedAttention() {
  std::vector<const KernelSet*> sets = SetsUnderTest();
  std::erase_if(sets, [](const KernelSet* set) { return set->reduced_attention() == nullptr; });
  return sets;
}

INSTANTIATE_TEST_SUITE_P(Sets, ReducedAttentionTest, testing::ValuesIn(SetsWithReducedAttention()),
                         SetName);

}  // namespace
}  // namespace octet::kernels
