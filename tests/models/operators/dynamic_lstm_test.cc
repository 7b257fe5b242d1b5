// SPDX-License-Identifier: Apache-2.0

#include "models/operators/dynamic_lstm.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using ::testing::HasSubstr;

class DynamicLstmTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(DynamicLstmTest);

constexpr std::size_t kRowCount = 2;
constexpr std::size_t kSteps = 9;
constexpr std::size_t kUnits = 6;
constexpr std::size_t kGates = 4 * kUnits;

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// h in 256 steps over its range and 0, or in 127 to either side, as real numbers again.
std::vector<double> Quantized(const std::vector<double>& h, bool is_symmetric) {
  double least = std::min(0.0, *std::min_element(h.begin(), h.end()));
  double largest = std::max(0.0, *std::max_element(h.begin(), h.end()));
  if (is_symmetric) {
    largest = std::max(-least, largest);
    least = -largest * 128.0 / 127.0;
  }
  if (largest == least) return h;
  const double scale = (largest - least) / 255.0;
  const bool is_from_least = 128.0 - least / scale < 127.0 + largest / scale;
  const double zero_point =
      is_symmetric ? 0.0
                   : std::round(is_from_least ? -128.0 - least / scale : 127.0 - largest / scale);
  std::vector<double> real;
  for (const double value : h) {
    const double q = std::clamp(std::round(value / scale + zero_point), -128.0, 127.0);
    real.push_back((q - zero_point) * scale);
  }
  return real;
}

struct Layer {
  std::vector<float> x = Noise(kRowCount * kSteps * kGates, 1);
  std::vector<std::int8_t> recurrent = Int8Noise(kUnits * kGates, 3);
  std::vector<float> scale = std::vector<float>(kGates, 90.0F);
  double cell_clip = 0.0;
  bool is_symmetric = false;

  [[nodiscard]] std::vector<float> Expected() const {
    std::vector<float> all;
    for (std::size_t n = 0; n < kRowCount; ++n) {
      std::vector<double> h(kUnits, 0.0);
      std::vector<double> c(kUnits, 0.0);
      for (std::size_t t = 0; t < kSteps; ++t) {
        const std::vector<double> quantized = Quantized(h, is_symmetric);
        std::vector<double> z(kGates);
        for (std::size_t j = 0; j < kGates; ++j) {
          z[j] = static_cast<double>(x[(n * kSteps + t) * kGates + j]);
          for (std::size_t p = 0; p < kUnits; ++p) {
            z[j] += quantized[p] * recurrent[p * kGates + j] / static_cast<double>(scale[j]);
          }
        }
        for (std::size_t u = 0; u < kUnits; ++u) {
          c[u] = Sigmoid(z[kUnits + u]) * c[u] + Sigmoid(z[u]) * std::tanh(z[2 * kUnits + u]);
          if (cell_clip > 0.0) c[u] = std::clamp(c[u], -cell_clip, cell_clip);
          h[u] = Sigmoid(z[3 * kUnits + u]) * std::tanh(c[u]);
          all.push_back(static_cast<float>(h[u]));
        }
      }
    }
    return all;
  }

  [[nodiscard]] OperatorRun Run(std::size_t first_row = 0) const {
    const auto rows = static_cast<std::int64_t>(kRowCount - first_row);
    const auto from = x.begin() + static_cast<std::ptrdiff_t>(first_row * kSteps * kGates);
    OperatorRun run(MakeDynamicLstm());
    run.Input(Floats({rows, kSteps, kGates}, {from, x.end()}))
        .Constant(ConstantTensor::Copy(DataType::kInt8, {kUnits, kGates}, recurrent))
        .Constant(FloatConstant({kGates}, scale))
        .With("cell_clip", cell_clip)
        .With("ranges", std::string(is_symmetric ? "symmetric" : "asymmetric"));
    return run;
  }
};

TEST_P(DynamicLstmTest, QuantizesItsStateAtEachStep) {
  for (const bool is_symmetric : {false, true}) {
    Layer layer;
    layer.is_symmetric = is_symmetric;
    layer.cell_clip = is_symmetric ? 0.3 : 0.0;
    for (std::size_t j = 0; j < kGates; ++j) layer.scale[j] += static_cast<float>(j);
    const std::vector<float> got = layer.Run().First(Kernels());
    const std::vector<float> wanted = layer.Expected();
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 2e-6F) << i;
  }
}

TEST_P(DynamicLstmTest, ARowIsWhatItIsAlone) {
  const Layer layer;
  const std::vector<float> all = layer.Run().First(Kernels());
  EXPECT_EQ(std::vector<float>(all.begin() + kSteps * kUnits, all.end()),
            layer.Run(1).First(Kernels()));
}

TEST_P(DynamicLstmTest, WhatIsNoNumberStaysInItsRow) {
  const Layer layer;
  Layer other = layer;
  other.x[0] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> all = other.Run().First(Kernels());
  EXPECT_TRUE(std::isnan(all[0]));
  EXPECT_EQ(std::vector<float>(all.begin() + kSteps * kUnits, all.end()),
            layer.Run(1).First(Kernels()));
}

void ExpectRefused(const OperatorRun& run, const std::string& message) {
  const absl::Status status = run.InferStatus();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST(DynamicLstmRuleTest, RefusesWhatDoesNotFit) {
  const Layer layer;
  EXPECT_TRUE(layer.Run().InferStatus().ok());
  ExpectRefused(layer.Run().With("cell_clip", -1.0), R"(attribute "cell_clip" is -1)");
  ExpectRefused(layer.Run().With("ranges", std::string("other")), R"("ranges")");
  ExpectRefused(layer.Run().With("activation", std::string("softmax")), "activation");
  Layer other = layer;
  other.scale[3] = 0.0F;
  ExpectRefused(other.Run(), R"(input "recurrent_scale" holds 0)");
  const auto of = [](Dims x, Dims recurrent, std::int64_t scales) {
    const auto elements = static_cast<std::size_t>(NumElements(recurrent));
    OperatorRun run(MakeDynamicLstm());
    run.Input(Floats(x, std::vector<float>(static_cast<std::size_t>(NumElements(x)), 0.0F)))
        .Constant(
            ConstantTensor::Copy(DataType::kInt8, recurrent, std::vector<std::int8_t>(elements, 1)))
        .Constant(
            FloatConstant({scales}, std::vector<float>(static_cast<std::size_t>(scales), 0.1F)));
    return run;
  };
  EXPECT_TRUE(of({1, 4, 8}, {2, 8}, 8).InferStatus().ok());
  ExpectRefused(of({1, 4, 7}, {2, 8}, 8), "wants at least one step of 8");
  ExpectRefused(of({1, 0, 8}, {2, 8}, 8), "wants at least one step of 8");
  ExpectRefused(of({4, 8}, {2, 8}, 8), "wants 3 dimensions");
  ExpectRefused(of({1, 4, 8}, {3, 8}, 8), "wants [units, 4 * units]");
  ExpectRefused(of({1, 4, 8}, {std::int64_t{1} << 62, 0}, 8), "wants [units, 4 * units]");
  ExpectRefused(of({1, 4, 8}, {2, 8}, 1), R"(input "recurrent_scale" is FP32[1])");
}

}  // namespace
}  // namespace octet
