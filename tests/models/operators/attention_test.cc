// SPDX-License-Identifier: Apache-2.0

#include "models/operators/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class AttentionTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(AttentionTest);

struct Layer {
  std::int64_t n = 2, t = 70, s = 9, heads = 4, groups = 2, d = 3, e = 5;
  double scale = 0.5;
  double soft_cap = 0.0;
  bool is_causal = false;
  bool has_zero_masked_rows = false;
  std::vector<std::uint8_t> mask = {};  // [n, 1, t, s]

  [[nodiscard]] std::vector<float> Query() const { return Make(n * t * heads * d, 1); }
  [[nodiscard]] std::vector<float> Key() const { return Make(n * s * groups * d, 2); }
  [[nodiscard]] std::vector<float> Value() const { return Make(n * s * groups * e, 3); }

  [[nodiscard]] std::vector<float> Expected() const {
    const auto q = Query();
    const auto k = Key();
    const auto v = Value();
    std::vector<float> out;
    for (std::int64_t image = 0; image < n; ++image) {
      for (std::int64_t i = 0; i < t; ++i) {
        for (std::int64_t head = 0; head < heads; ++head) {
          const std::int64_t group = head / (heads / groups);
          std::vector<double> weight;
          double sum = 0;
          bool is_any_kept = false;
          for (std::int64_t j = 0; j < s; ++j) {
            double score = 0;
            for (std::int64_t p = 0; p < d; ++p) {
              score += At(q, ((image * t + i) * heads + head) * d + p) *
                       At(k, ((image * s + j) * groups + group) * d + p);
            }
            score *= scale;
            if (soft_cap > 0) score = std::tanh(score / soft_cap) * soft_cap;
            const bool is_kept =
                (mask.empty() || mask[static_cast<std::size_t>((image * t + i) * s + j)] != 0) &&
                (!is_causal || j <= i);
            is_any_kept = is_any_kept || is_kept;
            weight.push_back(is_kept ? std::exp(score) : 0);
            sum += weight.back();
          }
          for (std::int64_t p = 0; p < e; ++p) {
            double y = 0;
            for (std::int64_t j = 0; j < s; ++j) {
              const double alike = has_zero_masked_rows ? 0.0 : 1.0 / static_cast<double>(s);
              const double share = is_any_kept ? weight[static_cast<std::size_t>(j)] / sum : alike;
              y += share * At(v, ((image * s + j) * groups + group) * e + p);
            }
            out.push_back(static_cast<float>(y));
          }
        }
      }
    }
    return out;
  }
  [[nodiscard]] OperatorRun Node() const {
    OperatorRun run(MakeAttention());
    run.Input(Floats({n, t, heads, d}, Query()))
        .Input(Floats({n, s, groups, d}, Key()))
        .Input(Floats({n, s, groups, e}, Value()))
        .With("scale", scale)
        .With("soft_cap", soft_cap)
        .With("causal", std::int64_t{is_causal ? 1 : 0})
        .With("zero_masked_rows", std::int64_t{has_zero_masked_rows ? 1 : 0});
    if (!mask.empty()) run.Input(Bools({n, 1, t, s}, mask));
    return run;
  }

 private:
  static std::vector<float> Make(std::int64_t count, std::uint32_t seed) {
    return Noise(static_cast<std::size_t>(count), seed);
  }
  static double At(const std::vector<float>& values, std::int64_t index) {
    return static_cast<double>(values[static_cast<std::size_t>(index)]);
  }
};

TEST_P(AttentionTest, GroupedHeadsWithEveryOption) {
  Layer masked;
  for (std::int64_t i = 0; i < masked.n * masked.t * masked.s; ++i) {
    masked.mask.push_back(i % 3 == 0 ? 0 : 1);
  }
  // The first query sees nothing: every key alike, as in Keras.
  std::fill(masked.mask.begin(), masked.mask.begin() + masked.s, std::uint8_t{0});
  Layer zeroed = masked;
  zeroed.has_zero_masked_rows = true;
  for (const Layer& layer : {Layer{}, Layer{.soft_cap = 0.7}, Layer{.is_causal = true},
                             Layer{.groups = 4}, masked, zeroed}) {
    ExpectNear(layer.Node().First(Kernels()), layer.Expected(), 2e-6F);
  }
}

TEST_P(AttentionTest, AMaskMayHaveFewerDimensions) {
  Layer layer{.n = 1, .t = 2, .s = 3};
  auto run = layer.Node();
  run.Constant(ConstantTensor::Copy(DataType::kBool, {3}, std::vector<std::uint8_t>{1, 0, 1}));
  layer.mask = {1, 0, 1, 1, 0, 1};
  ExpectNear(run.First(Kernels()), layer.Expected(), 2e-6F);
}

TEST(AttentionRuleTest, RefusesWhatDoesNotFit) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ((Layer{.groups = 3}).Node().InferStatus().code(), kInvalid);
  EXPECT_EQ((Layer{.soft_cap = -1}).Node().InferStatus().code(), kInvalid);
  auto run = Layer{}.Node();
  run.Input(Bools({2, 1, 70, 8}, std::vector<std::uint8_t>(2 * 70 * 8, 1)));
  EXPECT_EQ(run.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
