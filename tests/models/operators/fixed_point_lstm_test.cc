// SPDX-License-Identifier: Apache-2.0
// What it computes in one step: tests/kernels/fixed_point_lstm_test.cc.

#include "models/operators/fixed_point_lstm.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/fixed_point_lstm.h"
#include "tests/support/run_operator.h"

namespace octet {
namespace {

using ::testing::HasSubstr;

class FixedPointLstmTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(FixedPointLstmTest);

constexpr std::size_t kSteps = 37;  // more than one chunk of projected inputs
constexpr std::size_t kWidth = 3;
constexpr std::size_t kUnits = 6;
constexpr std::size_t kGates = 4 * kUnits;

std::vector<std::int32_t> Int32Noise(std::size_t count, std::uint32_t seed) {
  std::vector<std::int32_t> values;
  for (const float value : Noise(count, seed)) {
    values.push_back(static_cast<std::int32_t>(value * 5000.0F));
  }
  return values;
}

struct Layer {
  std::size_t rows = 2;
  std::vector<std::int8_t> x = Int8Noise(2 * kSteps * kWidth, 1);
  std::vector<std::int8_t> kernel = Int8Noise(kWidth * kGates, 2);
  std::vector<std::int8_t> recurrent = Int8Noise(kUnits * kGates, 3);
  std::vector<std::int32_t> bias = Int32Noise(kGates, 4);
  std::vector<float> kernel_scale = std::vector<float>(kGates, 0.004F);
  std::vector<float> recurrent_scale = std::vector<float>(kGates, 0.006F);
  TensorQuantization input = Quantization(0.02F, -5);
  TensorQuantization output = Quantization(0.0075F, 9);
  TensorQuantization state = Quantization(0.0075F, 9);
  std::string formula = "micro";
  std::string requantization = "fixed";
  double cell_clip = 0.0;

  // The sums of row `row` of `matrix`, [terms, kGates], with `values`.
  static std::vector<std::int32_t> Sums(const std::int8_t* values, std::size_t terms,
                                        std::int32_t zero_point,
                                        const std::vector<std::int8_t>& matrix,
                                        std::vector<std::int32_t> sums) {
    for (std::size_t p = 0; p < terms; ++p) {
      for (std::size_t j = 0; j < kGates; ++j) {
        sums[j] += (values[p] - zero_point) * matrix[p * kGates + j];
      }
    }
    return sums;
  }

  [[nodiscard]] kernels::FixedPointLstm Cell() const {
    const bool is_micro = formula == "micro";
    std::vector<double> scales[2];
    for (std::size_t j = 0; j < kGates; ++j) {
      scales[0].push_back(static_cast<double>(kernel_scale[j] * input.scale.value) * 4096.0);
      scales[1].push_back(static_cast<double>(recurrent_scale[j] * state.scale.value) * 4096.0);
    }
    const TensorQuantization& hidden = is_micro ? state : output;
    return kernels::FixedPointLstm(
        {.units = kUnits,
         .formula = is_micro ? kernels::LstmFormula::kMicro : kernels::LstmFormula::kLiteRt,
         .rounding = requantization == "fixed" ? kernels::FixedRounding::kDouble
                                               : kernels::FixedRounding::kSingle,
         .input_scale = scales[0],
         .recurrent_scale = scales[1],
         .cell_exponent = -11,
         .cell_clip = static_cast<std::int16_t>(cell_clip * 2048.0),
         .hidden_scale = hidden.scale,
         .hidden_zero_point = hidden.zero_point});
  }

  [[nodiscard]] std::vector<std::int8_t> Expected() const {
    const kernels::FixedPointLstm cell = Cell();
    std::vector<std::int8_t> all;
    for (std::size_t n = 0; n < rows; ++n) {
      std::vector<std::int8_t> h(kUnits, static_cast<std::int8_t>(state.zero_point.value));
      std::vector<std::int16_t> c(kUnits, 0);
      for (std::size_t t = 0; t < kSteps; ++t) {
        std::vector<std::int16_t> projected(kGates);
        cell.Project(Sums(x.data() + (n * kSteps + t) * kWidth, kWidth, input.zero_point.value,
                          kernel, bias),
                     projected);
        const std::vector<std::int32_t> sums =
            Sums(h.data(), kUnits, state.zero_point.value, recurrent,
                 std::vector<std::int32_t>(kGates, 0));
        cell.Advance({.projected = projected, .sums = sums, .c = c, .h = h});
        all.insert(all.end(), h.begin(), h.end());
      }
    }
    return all;
  }

  [[nodiscard]] OperatorRun Run() const {
    const auto signed_rows = static_cast<std::int64_t>(rows);
    OperatorRun run(MakeFixedPointLstm());
    run.Input(Int8s({signed_rows, kSteps, kWidth}, x), input)
        .Constant(ConstantTensor::Copy(DataType::kInt8, {kWidth, kGates}, kernel))
        .Constant(ConstantTensor::Copy(DataType::kInt8, {kUnits, kGates}, recurrent))
        .Constant(ConstantTensor::Copy(DataType::kInt32, {kGates}, bias))
        .Constant(FloatConstant({kGates}, kernel_scale))
        .Constant(FloatConstant({kGates}, recurrent_scale))
        .With("output_scale", double{output.scale.value})
        .With("output_zero_point", std::int64_t{output.zero_point.value})
        .With("cell_scale", 0x1p-11)
        .With("cell_clip", cell_clip)
        .With("formula", formula)
        .With("requantization", requantization);
    if (state != output) {
      run.With("state_scale", double{state.scale.value})
          .With("state_zero_point", std::int64_t{state.zero_point.value});
    }
    return run;
  }
};

TEST_P(FixedPointLstmTest, GoesThroughTime) {
  for (const std::string formula : {"micro", "litert"}) {
    for (const std::string requantization : {"fixed", "fixed_single"}) {
      for (const double cell_clip : {0.0, 0.3}) {
        Layer layer;
        layer.formula = formula;
        layer.requantization = requantization;
        layer.cell_clip = cell_clip;
        EXPECT_EQ(layer.Run().First<std::int8_t>(Kernels()), layer.Expected());
      }
    }
  }
}

TEST_P(FixedPointLstmTest, ScalesMayDifferFromColumnToColumn) {
  Layer layer;
  for (std::size_t j = 0; j < kGates; ++j) {
    layer.kernel_scale[j] = 0.0005F * static_cast<float>(j + 1);
    layer.recurrent_scale[j] = 0.0007F * static_cast<float>(kGates - j);
  }
  EXPECT_EQ(layer.Run().First<std::int8_t>(Kernels()), layer.Expected());
}

TEST_P(FixedPointLstmTest, TheStateMayBeQuantizedInAnotherWay) {
  for (const std::string formula : {"micro", "litert"}) {
    Layer layer;
    layer.formula = formula;
    layer.state = Quantization(0.011F, -20);
    EXPECT_EQ(layer.Run().Infer().value()[0].quantization, layer.output);
    EXPECT_EQ(layer.Run().First<std::int8_t>(Kernels()), layer.Expected());
  }
}

TEST_P(FixedPointLstmTest, LargestWeightsAndInputsAreExact) {
  for (const std::int8_t value : {std::int8_t{-128}, std::int8_t{127}}) {
    Layer layer;
    layer.input = Quantization(0.02F, 127);
    layer.output = layer.state = Quantization(0.0078F, -128);
    layer.x.assign(layer.x.size(), value);
    layer.kernel.assign(layer.kernel.size(), -128);
    layer.recurrent.assign(layer.recurrent.size(), 127);
    EXPECT_EQ(layer.Run().First<std::int8_t>(Kernels()), layer.Expected());
  }
}

TEST_P(FixedPointLstmTest, ARowIsWhatItIsAlone) {
  const Layer both;
  Layer second = both;
  second.rows = 1;
  second.x.erase(second.x.begin(), second.x.begin() + kSteps * kWidth);
  const auto all = both.Run().First<std::int8_t>(Kernels());
  const auto alone = second.Run().First<std::int8_t>(Kernels());
  EXPECT_EQ(std::vector<std::int8_t>(all.begin() + kSteps * kUnits, all.end()), alone);
}

TEST_P(FixedPointLstmTest, WithoutABiasItIs0) {
  Layer layer;
  layer.bias.assign(kGates, 0);
  const auto with_zeros = layer.Run().First<std::int8_t>(Kernels());
  OperatorRun run(MakeFixedPointLstm());
  run.Input(Int8s({2, kSteps, kWidth}, layer.x), layer.input)
      .Constant(ConstantTensor::Copy(DataType::kInt8, {kWidth, kGates}, layer.kernel))
      .Constant(ConstantTensor::Copy(DataType::kInt8, {kUnits, kGates}, layer.recurrent))
      .Absent()
      .Constant(FloatConstant({kGates}, layer.kernel_scale))
      .Constant(FloatConstant({kGates}, layer.recurrent_scale))
      .With("output_scale", double{layer.output.scale.value})
      .With("output_zero_point", std::int64_t{layer.output.zero_point.value})
      .With("cell_scale", 0x1p-11);
  EXPECT_EQ(run.First<std::int8_t>(Kernels()), with_zeros);
}

void ExpectRefused(const OperatorRun& run, const std::string& message) {
  const absl::Status status = run.InferStatus();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST(FixedPointLstmRuleTest, RefusesWhatDoesNotFit) {
  const Layer layer;
  EXPECT_TRUE(layer.Run().InferStatus().ok());
  const std::string cell_scale = R"(attribute "cell_scale" is )";
  ExpectRefused(layer.Run().With("cell_scale", 0.001), cell_scale);
  ExpectRefused(layer.Run().With("cell_scale", 0x1p-8), cell_scale);
  ExpectRefused(layer.Run().With("cell_scale", 0x1p-16), cell_scale);
  ExpectRefused(layer.Run().With("cell_scale", 0.0), R"("cell_scale")");
  ExpectRefused(layer.Run().With("cell_clip", -1.0), R"(attribute "cell_clip" is -1)");
  ExpectRefused(layer.Run().With("formula", std::string("other")), R"("formula")");
  ExpectRefused(layer.Run().With("requantization", std::string("float32")), R"("requantization")");
  ExpectRefused(layer.Run().With("output_zero_point", std::int64_t{128}), "-128 to 127");
  ExpectRefused(layer.Run().With("state_zero_point", std::int64_t{0}),
                R"(attribute "state_scale" is absent)");
  Layer other = layer;
  other.kernel_scale[3] = 0.0F;
  ExpectRefused(other.Run(), R"(input "kernel_scale" holds 0)");
  other = layer;
  other.recurrent_scale[3] = std::numeric_limits<float>::quiet_NaN();
  ExpectRefused(other.Run(), R"(input "recurrent_scale" holds nan)");
}

TEST(FixedPointLstmRuleTest, WeightsFitEachOther) {
  const auto of = [](Dims x, Dims kernel, Dims recurrent) {
    const auto zeros = [](const Dims& dims) {
      return std::vector<std::int8_t>(static_cast<std::size_t>(NumElements(dims)), 0);
    };
    OperatorRun run(MakeFixedPointLstm());
    run.Input(Int8s(x, zeros(x)), Quantization(0.1F, 0))
        .Constant(ConstantTensor::Copy(DataType::kInt8, kernel, zeros(kernel)))
        .Constant(ConstantTensor::Copy(DataType::kInt8, recurrent, zeros(recurrent)))
        .Absent()
        .Constant(FloatConstant({8}, std::vector<float>(8, 0.1F)))
        .Constant(FloatConstant({8}, std::vector<float>(8, 0.1F)))
        .With("output_scale", 0.1)
        .With("cell_scale", 0x1p-11);
    return run;
  };
  EXPECT_TRUE(of({1, 4, 3}, {3, 8}, {2, 8}).InferStatus().ok());
  ExpectRefused(of({1, 4, 2}, {3, 8}, {2, 8}), "wants at least one step of 3");
  ExpectRefused(of({1, 0, 3}, {3, 8}, {2, 8}), "wants at least one step of 3");
  ExpectRefused(of({4, 3}, {3, 8}, {2, 8}), "wants 3 dimensions");
  ExpectRefused(of({1, 4, 3}, {3, 4}, {2, 8}), R"(input "kernel" is INT8[3, 4], wants INT8[3, 8])");
  ExpectRefused(of({1, 4, 3}, {3, 8}, {2, 7}), "wants at least 1 and [units, 4 * units]");
  ExpectRefused(of({1, 4, 3}, {3, 8}, {8, 2}), "wants at least 1 and [units, 4 * units]");
  ExpectRefused(of({1, 4, 3}, {3, 16}, {4, 16}), R"(input "kernel_scale" is FP32[8])");
  ExpectRefused(of({1, 4, 3}, {0, 8}, {2, 8}), "got 0 inputs");
  // Units whose gates no number counts, in a weight without an element.
  ExpectRefused(of({1, 4, 3}, {3, 8}, {std::int64_t{1} << 62, 0}), "[units, 4 * units]");
}

TEST_P(FixedPointLstmTest, RefusesSumsBeyondInt32AndScalesBeyondFloat32) {
  Layer layer;
  layer.bias.assign(kGates, std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(layer.Run().Run(Kernels()).status().code(), absl::StatusCode::kInvalidArgument);
  layer = Layer();
  layer.input.scale.value = 1e30F;
  layer.kernel_scale.assign(kGates, 1e30F);
  EXPECT_THAT(std::string(layer.Run().Run(Kernels()).status().message()),
              HasSubstr("have no finite product"));
}

}  // namespace
}  // namespace octet
