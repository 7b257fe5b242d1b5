// SPDX-License-Identifier: Apache-2.0
// What passes give a FullyConnected besides its layer: a residual, and rows quantized before it.

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/operators/fully_connected.h"
#include "models/operators/quantize_rows.h"
#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class FusedFullyConnectedTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(FusedFullyConnectedTest);

// A layer of 5 by 3, up to its bias.
OperatorRun LayerOf(const std::string& form, Tensor x) {
  OperatorRun run(MakeFullyConnected());
  run.Input(std::move(x));
  if (form == "float") {
    run.Constant(FloatConstant({5, 3}, Noise(15, 2))).Absent();
  } else {
    run.Constant(ConstantTensor::Copy(DataType::kInt8, {5, 3}, Int8Noise(15, 2)))
        .Constant(FloatConstant({3}, {127.0F, 31.75F, 4233.0F}));
  }
  run.Absent().Constant(FloatConstant({3}, {0.1F, 0.2F, 0.3F}));
  if (form == "dynamic") run.With("activation_quantization", "dynamic");
  return run;
}

TEST_P(FusedFullyConnectedTest, AResidualIsAddedLast) {
  const auto x = [] { return Floats({2, 7, 5}, Noise(70, 3)); };
  const auto residual = Noise(42, 4);
  for (const std::string form : {"float", "weight-only", "dynamic"}) {
    auto wanted = LayerOf(form, x()).With("activation", "relu").First(Kernels());
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] += residual[i];
    auto run = LayerOf(form, x());
    run.Absent().Absent().Input(Floats({2, 7, 3}, residual)).With("activation", "relu");
    EXPECT_EQ(run.First(Kernels()), wanted) << form;
  }
}

TEST_P(FusedFullyConnectedTest, TakesRowsThatAreQuantizedAlready) {
  const auto x = [] { return Floats({2, 7, 5}, Noise(70, 3)); };
  auto rows = OperatorRun(MakeQuantizeRows()).Input(x()).Outputs(2).Run(Kernels());
  ASSERT_TRUE(rows.ok()) << rows.status();
  const auto wanted = LayerOf("dynamic", x()).First(Kernels());
  auto run = LayerOf("dynamic", std::move((*rows)[0]));
  run.Absent().Absent().Absent().Input(std::move((*rows)[1]));
  EXPECT_EQ(run.First(Kernels()), wanted);
}

TEST(FusedFullyConnectedRuleTest, RefusesAResidualThatDoesNotFit) {
  const auto x = [] { return Floats({1, 5}, Noise(5, 1)); };
  const auto with = [](OperatorRun run, Tensor residual) {
    return run.Absent().Absent().Input(std::move(residual)).InferStatus();
  };
  EXPECT_THAT(std::string(with(LayerOf("float", x()), Floats({1, 5}, Noise(5, 1))).message()),
              HasSubstr("\"residual\" has shape [s0, 5], wants [s0, 3]"));
  EXPECT_THAT(std::string(with(LayerOf("float", x()), Int8s({1, 3}, {1, 2, 3})).message()),
              HasSubstr("\"residual\""));
  auto softmax = LayerOf("float", x());
  softmax.With("activation", "softmax");
  EXPECT_EQ(with(std::move(softmax), Floats({1, 3}, Noise(3, 1))).code(),
            absl::StatusCode::kUnimplemented);
}

TEST(FusedFullyConnectedRuleTest, RefusesQuantizedRowsThatDoNotFit) {
  const auto with = [](const std::string& form, Tensor x, Tensor scale,
                       std::optional<TensorQuantization> quantization = std::nullopt) {
    OperatorRun run(MakeFullyConnected());
    run.Input(std::move(x), quantization)
        .Constant(ConstantTensor::Copy(DataType::kInt8, {3, 3}, Int8Noise(9, 1)))
        .Constant(FloatConstant({3}, {127.0F, 31.75F, 4233.0F}));
    for (int i = 0; i < 5; ++i) run.Absent();
    run.Input(std::move(scale)).With("activation_quantization", form);
    return std::string(run.InferStatus().message());
  };
  const auto x = [] { return Int8s({2, 3}, {1, 2, 3, 4, 5, 6}); };
  const auto scale = [] { return Floats({2, 1}, {1, 2}); };
  EXPECT_EQ(with("dynamic", x(), scale()), "");
  EXPECT_THAT(with("none", x(), scale()), HasSubstr("wants activation_quantization \"dynamic\""));
  EXPECT_THAT(with("dynamic", Floats({2, 3}, Noise(6, 1)), scale()), HasSubstr("\"x\""));
  EXPECT_THAT(with("dynamic", x(), Floats({2, 3}, Noise(6, 1))),
              HasSubstr("\"row_scale\" has shape [s0, 3], wants [s0, 1]"));
  EXPECT_THAT(with("dynamic", x(), Int8s({2, 1}, {1, 2})), HasSubstr("\"row_scale\""));
  EXPECT_THAT(with("dynamic", x(), scale(), Quantization(1, 0)),
              HasSubstr("quantization of its own"));
}

}  // namespace
}  // namespace octet
