// SPDX-License-Identifier: Apache-2.0
#include "models/operators/reinterpret.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class ReinterpretTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ReinterpretTest);

TEST_P(ReinterpretTest, BytesStay) {
  OperatorRun run(MakeReinterpret());
  run.Input(Int8s({2, 2}, {-128, 0, 5, 127}), Quantization(0.5F, 3));
  run.With("scale", 0.25).With("zero_point", std::int64_t{-7});
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::int8_t>((*outputs)[0]), (std::vector<std::int8_t>{-128, 0, 5, 127}));
}

TEST(ReinterpretRuleTest, TheQuantizationIsWhatTheAttributesSay) {
  OperatorRun run(MakeReinterpret());
  run.Input(Int8s({1, 1}, {1}), Quantization(0.5F, 3));
  ASSERT_TRUE(run.Infer().ok());
  EXPECT_FALSE(run.Infer()->front().quantization.has_value());
  run.With("scale", 0.25).With("zero_point", std::int64_t{-7});
  ASSERT_TRUE(run.Infer().ok());
  EXPECT_EQ(run.Infer()->front().quantization, Quantization(0.25F, -7));
  EXPECT_TRUE(MakeReinterpret()->IsReinterpretation());
}

TEST(ReinterpretRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  OperatorRun floats(MakeReinterpret());
  EXPECT_THAT(message(floats.Input(Floats({1, 1}, {1}))), HasSubstr("INT8"));
  OperatorRun scale(MakeReinterpret());
  EXPECT_THAT(message(scale.Input(Int8s({1, 1}, {1})).With("scale", -1.0)), HasSubstr("scale"));
  OperatorRun zero(MakeReinterpret());
  zero.Input(Int8s({1, 1}, {1})).With("scale", 1.0).With("zero_point", std::int64_t{128});
  EXPECT_THAT(message(zero), HasSubstr("zero_point"));
}

}  // namespace
}  // namespace octet
