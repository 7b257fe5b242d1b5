// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/fake_quantization.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

constexpr auto kDivide = FakeQuantizationStep::kDivide;
constexpr auto kInverse = FakeQuantizationStep::kInverse;

std::vector<float> Applied(const FakeQuantizationRange& range, FakeQuantizationStep step) {
  const absl::StatusOr<FakeQuantization> quantization = FakeQuantization::Make(range, step);
  EXPECT_TRUE(quantization.ok()) << quantization.status();
  std::vector<float> results;
  for (const float x : {-9.0F, -1.0F, -0.3F, 0.0F, 0.013F, 0.5F, 1.0F, 1.5F, 9.0F}) {
    results.push_back(quantization->Apply(x));
  }
  return results;
}

// What tf.quantization.fake_quant_with_min_max_vars of TensorFlow 2.16.2 answers, to the last bit;
// the operator for channels answers the same for these.
TEST(FakeQuantizationTest, IsTensorFlows) {
  for (const FakeQuantizationStep step : {kDivide, kInverse}) {
    EXPECT_EQ(
        Applied({-1.3F, 2.7F, 8, false}, step),
        (std::vector<float>{-0x1.4d4d4ep+0F, -0x1.010102p+0F, -0x1.313132p-2F, 0, 0x1.010102p-6F,
                            0x1.010102p-1F, 0x1.010102p+0F, 0x1.818184p+0F, 0x1.59595ap+1F}));
    EXPECT_EQ(Applied({-6.0F, 6.0F, 8, true}, step),
              (std::vector<float>{-0x1.8p+2F, -0x1.fbf7fp-1F, -0x1.224488p-2F, 0, 0, 0x1.0a1428p-1F,
                                  0x1.fbf7fp-1F, 0x1.83060cp+0F, 0x1.8p+2F}));
    EXPECT_EQ(Applied({-0.7F, 1.9F, 4, false}, step),
              (std::vector<float>{-0x1.62fc96p-1F, -0x1.62fc96p-1F, -0x1.62fc96p-2F, 0, 0,
                                  0x1.0a3d7p-1F, 0x1.0a3d7p+0F, 0x1.8f5c28p+0F, 0x1.e81b4ep+0F}));
    EXPECT_EQ(Applied({-2.0F, 2.0F, 16, true}, step),
              (std::vector<float>{-0x1p+1F, -0x1.fffcp-1F, -0x1.333266p-2F, 0, 0x1.aa0354p-7F,
                                  0x1.0002p-1F, 0x1.0002p+0F, 0x1.7fffp+0F, 0x1p+1F}));
  }
}

// -1 lies between two steps: half of one up by a division, half of one down by its inverse.
TEST(FakeQuantizationTest, TheOperatorForChannelsMultipliesByTheInverse) {
  const FakeQuantizationRange range{-3.0F, -1.0F, 8, false};
  EXPECT_EQ(Applied(range, kDivide)[1], -0x1.010102p+0F);
  EXPECT_EQ(Applied(range, kInverse)[1], -0x1.fdfep-1F);
}

TEST(FakeQuantizationTest, ARangeBeyondZeroIsMovedToIt) {
  EXPECT_EQ(Applied({0.2F, 3.0F, 8, false}, kDivide),
            (std::vector<float>{0, 0, 0, 0, 0x1.67ce34p-7F, 0x1.029c36p-1F, 0x1.ff9932p-1F,
                                0x1.811ab4p+0F, 0x1.666666p+1F}));
  EXPECT_EQ(Applied({-3.0F, -1.0F, 8, false}, kDivide),
            (std::vector<float>{-2, -0x1.010102p+0F, -0x1.313132p-2F, 0, 0, 0, 0, 0, 0}));
}

TEST(FakeQuantizationTest, ARangeOfZeroMakesZeros) {
  EXPECT_EQ(Applied({0.0F, 0.0F, 8, false}, kDivide), std::vector<float>(9, 0.0F));
}

TEST(FakeQuantizationTest, StepsAreWholeNumbersBetweenTheLowestAndTheHighest) {
  const FakeQuantization quantization = *FakeQuantization::Make({-6.0F, 6.0F, 8, true}, kDivide);
  EXPECT_EQ(quantization.lowest(), -127);
  EXPECT_EQ(quantization.highest(), 127);
  EXPECT_EQ(quantization.Steps(-std::numeric_limits<float>::infinity()), -127.0F);
  EXPECT_EQ(quantization.Steps(std::numeric_limits<float>::max()), 127.0F);
  EXPECT_EQ(quantization.Steps(0.0F), 0.0F);
  EXPECT_TRUE(std::isnan(quantization.Steps(std::nanf(""))));
}

TEST(FakeQuantizationTest, RefusesRangesThatAreNone) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const FakeQuantizationRange& range :
       {FakeQuantizationRange{2.0F, 1.0F}, FakeQuantizationRange{1.0F, 1.0F},
        FakeQuantizationRange{-kInfinity, 1.0F}, FakeQuantizationRange{0.0F, std::nanf("")},
        FakeQuantizationRange{-3e38F, 3e38F}, FakeQuantizationRange{0.0F, 1e-44F}}) {
    EXPECT_EQ(FakeQuantization::Make(range, kDivide).status().code(),
              absl::StatusCode::kInvalidArgument)
        << range.min << " to " << range.max;
  }
  for (const std::int64_t bits : {-1, 1, 17}) {
    EXPECT_EQ(FakeQuantization::Make({0.0F, 1.0F, bits}, kDivide).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bits;
  }
}

}  // namespace
}  // namespace octet
