// SPDX-License-Identifier: Apache-2.0
#include "models/operators/integer_matmul.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class IntegerMatMulTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(IntegerMatMulTest);

Tensor Uint8s(Dims dims, const std::vector<std::uint8_t>& elements) {
  return MakeTensor(DataType::kUint8, std::move(dims), elements);
}
template <typename T>
ConstantTensor Bytes(Dims dims, const std::vector<T>& elements) {
  return ConstantTensor::Copy(std::is_signed_v<T> ? DataType::kInt8 : DataType::kUint8,
                              std::move(dims), elements);
}

// sum over p of (x[i, p] - zero[i]) * (w[p, j] - weight_zero[j])
template <typename X, typename W>
std::vector<std::int32_t> Expected(const std::vector<X>& x, const std::vector<std::int32_t>& zeros,
                                   const std::vector<W>& w, const std::vector<W>& weight_zeros,
                                   std::size_t k) {
  const std::size_t n = w.size() / k;
  std::vector<std::int32_t> sums(x.size() / k * n, 0);
  for (std::size_t i = 0; i < x.size() / k; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t p = 0; p < k; ++p) {
        sums[i * n + j] += (x[i * k + p] - zeros[i]) *
                           (w[p * n + j] - (weight_zeros.empty() ? 0 : weight_zeros[j]));
      }
    }
  }
  return sums;
}

constexpr std::size_t kRows = 5;
constexpr std::size_t kTerms = 67;
constexpr std::size_t kColumns = 19;

TEST_P(IntegerMatMulTest, EveryRowBringsItsZeroPoint) {
  const auto x = Uint8Noise(kRows * kTerms, 1);
  const auto w = Int8Noise(kTerms * kColumns, 2);
  OperatorRun run(MakeIntegerMatMul());
  run.Input(Uint8s({kRows, kTerms}, x))
      .Constant(Bytes({kTerms, kColumns}, w))
      .Input(Uint8s({kRows, 1}, {0, 255, 128, 3, 77}));
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::int32_t>((*outputs)[0]),
            Expected(x, {0, 255, 128, 3, 77}, w, {}, kTerms));
}

TEST_P(IntegerMatMulTest, ConsecutiveRowsMayShareOne) {
  const auto x = Int8Noise(4 * kTerms, 3);
  const auto w = Uint8Noise(kTerms * 2, 4);
  OperatorRun run(MakeIntegerMatMul());
  run.Input(Int8s({2, 2, kTerms}, x))
      .Constant(Bytes({kTerms, 2}, w))
      .Input(Int8s({2, 1, 1}, {-128, 90}))
      .Constant(Bytes<std::uint8_t>({2}, {200, 1}));
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ((*outputs)[0].dims(), (Dims{2, 2, 2}));
  const auto wanted =
      Expected<std::int8_t, std::uint8_t>(x, {-128, -128, 90, 90}, w, {200, 1}, kTerms);
  EXPECT_EQ(Elements<std::int32_t>((*outputs)[0]), wanted);
}

TEST_P(IntegerMatMulTest, AConstantZeroPointIsPartOfTheWeights) {
  const auto x = Uint8Noise(2 * kTerms, 5);
  const auto w = Int8Noise(kTerms * 3, 6);
  for (const std::uint8_t zero : std::vector<std::uint8_t>{0, 7, 255}) {
    OperatorRun run(MakeIntegerMatMul());
    run.Input(Uint8s({2, kTerms}, x))
        .Constant(Bytes({kTerms, 3}, w))
        .Constant(Bytes<std::uint8_t>({1}, {zero}))
        .Constant(Bytes<std::int8_t>({1}, {-5}));
    const auto outputs = run.Run(Kernels());
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    const auto wanted =
        Expected<std::uint8_t, std::int8_t>(x, {zero, zero}, w, {-5, -5, -5}, kTerms);
    EXPECT_EQ(Elements<std::int32_t>((*outputs)[0]), wanted);
  }
}

TEST_P(IntegerMatMulTest, SumsThatCouldLeaveInt32AreRefused) {
  constexpr std::int64_t kMany = 70000;
  OperatorRun run(MakeIntegerMatMul());
  run.Input(Uint8s({1, kMany}, std::vector<std::uint8_t>(kMany, 255)))
      .Constant(Bytes<std::int8_t>({kMany, 1}, std::vector<std::int8_t>(kMany, 127)));
  EXPECT_THAT(std::string(run.Run(Kernels()).status().message()), HasSubstr("int32"));
}

TEST(IntegerMatMulRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  const auto product = [] { return OperatorRun(MakeIntegerMatMul()); };
  const ConstantTensor weight = Bytes<std::int8_t>({2, 1}, {1, 2});
  EXPECT_THAT(message(product().Input(Floats({1, 2}, {1, 2})).Constant(weight)), HasSubstr("FP32"));
  EXPECT_THAT(message(product().Input(Int8s({1, 3}, {1, 2, 3})).Constant(weight)),
              HasSubstr("\"weight\" is [2, 1]"));
  EXPECT_THAT(message(product()
                          .Input(Int8s({1, 2}, {1, 2}))
                          .Constant(weight)
                          .Constant(Bytes<std::uint8_t>({1}, {1}))),
              HasSubstr("x_zero_point"));
  EXPECT_THAT(message(product()
                          .Input(Int8s({1, 2}, {1, 2}))
                          .Constant(weight)
                          .Constant(Bytes<std::int8_t>({2}, {1, 2}))),
              HasSubstr("wants one element"));
  EXPECT_THAT(
      message(product().Input(Int8s({1, 2}, {1, 2})).Constant(weight).Input(Int8s({1, 2}, {1, 2}))),
      HasSubstr("its first dimensions"));
  EXPECT_THAT(message(product()
                          .Input(Int8s({1, 2}, {1, 2}))
                          .Constant(weight)
                          .Absent()
                          .Constant(Bytes<std::int8_t>({2}, {1, 2}))),
              HasSubstr("weight_zero_point"));
}

}  // namespace
}  // namespace octet
