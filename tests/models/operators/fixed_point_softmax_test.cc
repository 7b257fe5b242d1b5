// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fixed_point_softmax.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class FixedPointSoftmaxTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(FixedPointSoftmaxTest);

TEST_P(FixedPointSoftmaxTest, IsInSteps256ths) {
  OperatorRun run(MakeFixedPointSoftmax());
  run.Input(Int8s({3, 4}, {7, 7, 7, 7, 127, -128, -128, -128, 10, 10, -128, -128}),
            Quantization(0.5F, 3));
  EXPECT_EQ(run.Infer().value()[0].quantization, Quantization(1.0F / 256.0F, -128));
  EXPECT_EQ(
      run.First<std::int8_t>(Kernels()),
      (std::vector<std::int8_t>{-64, -64, -64, -64, 127, -128, -128, -128, 0, 0, -128, -128}));
}

// exp(1.386...) is 4: of 1 and 4, a fifth and four fifths.
TEST_P(FixedPointSoftmaxTest, BetaMultipliesTheInputs) {
  for (const std::string rounding : {"fixed", "fixed_single"}) {
    OperatorRun run(MakeFixedPointSoftmax());
    run.Input(Int8s({1, 2}, {0, 10}), Quantization(0.69314718F, 0))
        .With("beta", 0.2)
        .With("requantization", rounding);
    EXPECT_EQ(run.First<std::int8_t>(Kernels()), (std::vector<std::int8_t>{-77, 77}));
  }
}

TEST_P(FixedPointSoftmaxTest, OfInt16IsInSteps32768ths) {
  OperatorRun run(MakeFixedPointSoftmax());
  run.Input(Int16s({2, 4}, {7, 7, 7, 7, 32767, -32768, -32768, -32768}), Quantization(0.5F, 0));
  EXPECT_EQ(run.Infer().value()[0].quantization, Quantization(1.0F / 32768.0F, 0));
  const auto y = run.First<std::int16_t>(Kernels());
  EXPECT_NEAR(y[0], 8192, 1);
  EXPECT_NEAR(y[4], 32767, 8);
  EXPECT_NEAR(y[5], 1, 1);
}

TEST(FixedPointSoftmaxRuleTest, RefusesWhatDoesNotFit) {
  const auto code = [](std::int64_t size, double beta, const std::string& rounding) {
    OperatorRun run(MakeFixedPointSoftmax());
    run.Input(Int8s({1, size}, std::vector<std::int8_t>(static_cast<std::size_t>(size), 1)),
              Quantization(1.0F, 0))
        .With("beta", beta)
        .With("requantization", rounding);
    return run.InferStatus().code();
  };
  EXPECT_EQ(code(4095, 1.0, "fixed"), absl::StatusCode::kOk);
  EXPECT_EQ(code(4096, 1.0, "fixed"), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(code(2, 0.0, "fixed"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(2, 1.0, "float32"), absl::StatusCode::kInvalidArgument);
  OperatorRun plain(MakeFixedPointSoftmax());
  EXPECT_EQ(plain.Input(Int8s({1, 1}, {1})).InferStatus().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
