// SPDX-License-Identifier: Apache-2.0

#include "models/operators/softmax.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class SoftmaxTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(SoftmaxTest);

// Softmax over axis 1 of [n, k, m].
std::vector<float> OverAxis1(const std::vector<float>& x, std::size_t n, std::size_t k,
                             std::size_t m) {
  std::vector<float> y(x.size());
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      double sum = 0.0;
      for (std::size_t p = 0; p < k; ++p) {
        sum += std::exp(static_cast<double>(x[(i * k + p) * m + j]));
      }
      for (std::size_t p = 0; p < k; ++p) {
        const std::size_t at = (i * k + p) * m + j;
        y[at] = static_cast<float>(std::exp(static_cast<double>(x[at])) / sum);
      }
    }
  }
  return y;
}

TEST_P(SoftmaxTest, RunsOverAnyAxis) {
  const auto x = Noise(2 * 5 * 3, 1);
  ExpectNear(OperatorRun(MakeSoftmax())
                 .Input(Floats({2, 5, 3}, x))
                 .With("axis", std::int64_t{1})
                 .First(Kernels()),
             OverAxis1(x, 2, 5, 3), 1e-6F);
  ExpectNear(OperatorRun(MakeSoftmax()).Input(Floats({2, 5, 3}, x)).First(Kernels()),
             OverAxis1(x, 10, 3, 1), 1e-6F);
}

TEST_P(SoftmaxTest, LogSoftmaxIsTheLogarithm) {
  const auto x = Noise(2 * 5 * 3, 2);
  auto want = OverAxis1(x, 2, 5, 3);
  for (float& value : want) value = std::log(value);
  ExpectNear(OperatorRun(MakeLogSoftmax())
                 .Input(Floats({2, 5, 3}, x))
                 .With("axis", std::int64_t{-2})
                 .First(Kernels()),
             want, 2e-6F);
}

TEST_P(SoftmaxTest, MaskedElementsTakeNoPartAndAMaskedRowIsZero) {
  ExpectNear(OperatorRun(MakeSoftmax())
                 .Input(Floats({2, 3}, {0, 9, std::log(3.0F), 1, 2, 3}))
                 .Input(Bools({2, 3}, {1, 0, 1, 0, 0, 0}))
                 .First(Kernels()),
             {0.25F, 0, 0.75F, 0, 0, 0}, 1e-6F);
}

TEST_P(SoftmaxTest, AMaskIsBroadcast) {
  const auto y = OperatorRun(MakeSoftmax())
                     .Input(Floats({1, 2, 2}, {1, 5, 2, 7}))
                     .Input(Bools({1, 1, 2}, {1, 0}))
                     .First(Kernels());
  EXPECT_EQ(y, (std::vector<float>{1, 0, 1, 0}));
}

TEST(SoftmaxRuleTest, RefusesWhatDoesNotFit) {
  const auto code = [](const OperatorRun& run) { return run.InferStatus().code(); };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code(OperatorRun(MakeSoftmax()).Input(Floats({2}, {1, 2}))), kInvalid);
  EXPECT_EQ(
      code(OperatorRun(MakeSoftmax()).Input(Floats({1, 2}, {1, 2})).With("axis", std::int64_t{0})),
      kInvalid);
  EXPECT_EQ(
      code(OperatorRun(MakeSoftmax()).Input(Floats({1, 2}, {1, 2})).With("axis", std::int64_t{2})),
      kInvalid);
  EXPECT_EQ(
      code(
          OperatorRun(MakeSoftmax()).Input(Floats({1, 2}, {1, 2})).Input(Bools({1, 3}, {1, 1, 1}))),
      kInvalid);
}

}  // namespace
}  // namespace octet
