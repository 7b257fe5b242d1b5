// SPDX-License-Identifier: Apache-2.0

#include "models/operators/matmul.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class MatMulTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(MatMulTest);

std::vector<float> Transposed(const std::vector<float>& matrices, std::size_t rows,
                              std::size_t columns) {
  std::vector<float> result(matrices.size());
  for (std::size_t at = 0; at < matrices.size(); at += rows * columns) {
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        result[at + j * rows + i] = matrices[at + i * columns + j];
      }
    }
  }
  return result;
}

TEST_P(MatMulTest, MultipliesEachPairInAnyOrientation) {
  const auto a = Noise(6 * 3 * 5, 1);
  const auto b = Noise(6 * 5 * 4, 2);
  std::vector<float> want;
  for (std::size_t n = 0; n < 6; ++n) {
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        double sum = 0;
        for (std::size_t p = 0; p < 5; ++p) {
          sum += static_cast<double>(a[(n * 3 + i) * 5 + p]) *
                 static_cast<double>(b[(n * 5 + p) * 4 + j]);
        }
        want.push_back(static_cast<float>(sum));
      }
    }
  }
  for (const bool a_is_transposed : {false, true}) {
    for (const bool b_is_transposed : {false, true}) {
      OperatorRun run(MakeMatMul());
      run.Input(a_is_transposed ? Floats({2, 3, 5, 3}, Transposed(a, 3, 5))
                                : Floats({2, 3, 3, 5}, a))
          .Input(b_is_transposed ? Floats({2, 3, 4, 5}, Transposed(b, 5, 4))
                                 : Floats({2, 3, 5, 4}, b))
          .With("transpose_a", std::int64_t{a_is_transposed ? 1 : 0})
          .With("transpose_b", std::int64_t{b_is_transposed ? 1 : 0});
      ExpectNear(run.First(Kernels()), want, 2e-6F);
    }
  }
}

TEST_P(MatMulTest, LeadingDimensionsBroadcast) {
  OperatorRun run(MakeMatMul());
  run.Input(Floats({2, 2, 1, 1}, {1, 2, 3, 4})).Constant(FloatConstant({2, 1, 2}, {1, 2, 3, 4}));
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{1, 2, 6, 8, 3, 6, 12, 16}));
  OperatorRun matrix(MakeMatMul());
  matrix.Input(Floats({2, 1}, {1, 2})).Constant(FloatConstant({1, 2}, {3, 4}));
  EXPECT_EQ(matrix.First(Kernels()), (std::vector<float>{3, 4, 6, 8}));
}

TEST(MatMulRuleTest, RefusesWhatMixesRowsOrDoesNotFit) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  OperatorRun mixes(MakeMatMul());
  mixes.Input(Floats({2, 2}, {1, 2, 3, 4})).Input(Floats({2, 2}, {1, 2, 3, 4}));
  EXPECT_EQ(mixes.InferStatus().code(), kInvalid);
  OperatorRun transposed(MakeMatMul());
  transposed.Input(Floats({2, 2}, {1, 2, 3, 4}))
      .Constant(FloatConstant({2, 2}, {1, 2, 3, 4}))
      .With("transpose_a", std::int64_t{1});
  EXPECT_EQ(transposed.InferStatus().code(), kInvalid);
  OperatorRun wrong(MakeMatMul());
  wrong.Input(Floats({1, 1, 2}, {1, 2})).Input(Floats({1, 1, 2}, {1, 2}));
  EXPECT_EQ(wrong.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
