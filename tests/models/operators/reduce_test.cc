// SPDX-License-Identifier: Apache-2.0

#include "models/operators/reduce.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ReduceTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ReduceTest);

using Ints = std::vector<std::int64_t>;

OperatorRun Reduce(const std::string& kind, const Ints& axes) {
  OperatorRun run(MakeReduce());
  run.With("kind", kind).With("axes", axes);
  return run;
}

TEST_P(ReduceTest, EveryKindOverEveryAxis) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6};
  const auto input = [&x] { return Floats({2, 2, 3}, x); };
  EXPECT_EQ(Reduce("sum", {1}).Input(input()).First(Kernels()),
            (std::vector<float>{5, 7, 9, -5, -7, -9}));
  EXPECT_EQ(Reduce("prod", {1}).Input(input()).First(Kernels()),
            (std::vector<float>{4, 10, 18, 4, 10, 18}));
  EXPECT_EQ(Reduce("prod", {1, 2}).Input(input()).First(Kernels()), (std::vector<float>{720, 720}));
  EXPECT_EQ(Reduce("mean", {-1}).Input(input()).First(Kernels()),
            (std::vector<float>{2, 5, -2, -5}));
  EXPECT_EQ(Reduce("max", {1, 2}).Input(input()).First(Kernels()), (std::vector<float>{6, -1}));
  EXPECT_EQ(Reduce("min", {2, 1}).Input(input()).First(Kernels()), (std::vector<float>{1, -6}));
  EXPECT_EQ(
      Reduce("mean", {1}).Input(input()).With("keep_dims", std::int64_t{1}).FirstDims(Kernels()),
      (Dims{2, 1, 3}));
}

TEST_P(ReduceTest, LongRunsAreSummedExactlyEnough) {
  const auto x = Noise(2 * 1003, 1);
  std::vector<float> want;
  for (std::size_t n = 0; n < 2; ++n) {
    double sum = 0;
    for (std::size_t i = 0; i < 1003; ++i) sum += static_cast<double>(x[n * 1003 + i]);
    want.push_back(static_cast<float>(sum / 1003));
  }
  ExpectNear(Reduce("mean", {1}).Input(Floats({2, 1003}, x)).First(Kernels()), want, 1e-7F);
}

// 4096 times 0.1 is one of float32's numbers; 4096 sums one after the other are not near it.
TEST_P(ReduceTest, SumsOfManyRowsAreRoundedOnce) {
  const std::vector<float> x(std::size_t{2} * 4096, 0.1F);
  const std::vector<float> want = {0.1F * 4096, 0.1F * 4096};
  EXPECT_EQ(Reduce("sum", {1}).Input(Floats({1, 4096, 2}, x)).First(Kernels()), want);
  EXPECT_EQ(Reduce("sum", {1}).Input(Floats({2, 4096}, x)).First(Kernels()), want);
}

TEST_P(ReduceTest, LongRunsAreMultipliedOnceEach) {
  std::vector<float> x(37, -1.0F);
  x[5] = 3.0F;
  x[20] = 0.5F;
  x[36] = 4.0F;
  EXPECT_EQ(Reduce("prod", {1}).Input(Floats({1, 37}, x)).First(Kernels()),
            (std::vector<float>{6}));
}

TEST_P(ReduceTest, Int8MeanRoundsHalfToEven) {
  const auto run = [&](const std::string& kind) {
    return Reduce(kind, {1})
        .Input(Int8s({1, 2, 4}, {1, 2, -128, 127, 2, 3, -128, 126}), Quantization(0.1F, 5))
        .First<std::int8_t>(Kernels());
  };
  EXPECT_EQ(run("mean"), (std::vector<std::int8_t>{2, 2, -128, 126}));
  EXPECT_EQ(run("max"), (std::vector<std::int8_t>{2, 3, -128, 127}));
}

TEST_P(ReduceTest, Int8MeansAndSumsInFixedPoint) {
  const auto run = [](const std::string& kind, double scale, const std::string& rounding) {
    return Reduce(kind, {1})
        .Input(Int8s({1, 2, 4}, {6, 4, -128, 127, 7, 3, -128, 126}), Quantization(0.5F, 5))
        .With("output_scale", scale)
        .With("output_zero_point", std::int64_t{-3})
        .With("requantization", rounding)
        .First<std::int8_t>(Kernels());
  };
  using Bytes = std::vector<std::int8_t>;
  // Sums above the zero point: 3, -3, -266, 243.
  EXPECT_EQ(run("mean", 0.5, "fixed"), (Bytes{-1, -4, -128, 119}));
  EXPECT_EQ(run("mean", 1.0, "fixed"), (Bytes{-2, -4, -70, 58}));
  EXPECT_EQ(run("sum", 0.5, "fixed"), (Bytes{0, -6, -128, 127}));
  EXPECT_EQ(run("sum", 2.0, "fixed_single"), (Bytes{-2, -4, -69, 58}));
}

TEST_P(ReduceTest, Int16MeansAndSumsInFixedPoint) {
  const auto run = [](const std::string& kind, double scale) {
    return Reduce(kind, {1})
        .Input(Int16s({1, 2, 4}, {6, 4, -32768, 32767, 7, 3, -32768, 32766}), Quantization(0.5F, 0))
        .With("output_scale", scale)
        .With("requantization", "fixed")
        .First<std::int16_t>(Kernels());
  };
  using Shorts = std::vector<std::int16_t>;
  EXPECT_EQ(run("mean", 0.5), (Shorts{7, 4, -32768, 32767}));
  EXPECT_EQ(run("sum", 1.0), (Shorts{7, 4, -32768, 32767}));
}

TEST(ReduceRuleTest, Int16InFixedPointHasSumsWithinInt32) {
  const auto code = [](std::int64_t size) {
    OperatorRun run = Reduce("mean", {1});
    run.With("output_scale", 1.0).With("requantization", "fixed");
    run.Input(Int16s({1, size}, std::vector<std::int16_t>(static_cast<std::size_t>(size), 1)),
              Quantization(1, 0));
    return run.InferStatus().code();
  };
  EXPECT_EQ(code(65536), absl::StatusCode::kOk);
  EXPECT_EQ(code(65537), absl::StatusCode::kUnimplemented);
}

TEST(ReduceRuleTest, FixedPointIsForMeansAndSumsOfIntegers) {
  const auto code = [](const std::string& kind, bool is_integer) {
    OperatorRun run = Reduce(kind, {1});
    run.With("output_scale", 1.0).With("requantization", "fixed");
    if (is_integer) {
      run.Input(Int8s({1, 1}, {1}), Quantization(1, 0));
    } else {
      run.Input(Floats({1, 1}, {1.0F}));
    }
    return run.InferStatus().code();
  };
  EXPECT_EQ(code("sum", true), absl::StatusCode::kOk);
  EXPECT_EQ(code("max", true), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(code("mean", false), absl::StatusCode::kUnimplemented);
}

TEST_P(ReduceTest, Int16MeanRoundsHalfToEven) {
  const auto run = [&](const std::string& kind) {
    return Reduce(kind, {1})
        .Input(Int16s({1, 2, 4}, {1000, 2, -32768, 32767, 1001, 3, -32768, 32766}),
               Quantization(0.1F, 0))
        .First<std::int16_t>(Kernels());
  };
  EXPECT_EQ(run("mean"), (std::vector<std::int16_t>{1000, 2, -32768, 32766}));
  EXPECT_EQ(run("max"), (std::vector<std::int16_t>{1001, 3, -32768, 32767}));
}

TEST_P(ReduceTest, AnyIsTrueForAnyByteButZero) {
  OperatorRun run(MakeReduceAny());
  run.Input(Bools({2, 3}, {0, 0, 7, 0, 0, 0})).With("axes", Ints{1});
  EXPECT_EQ(run.First<std::uint8_t>(Kernels()), (std::vector<std::uint8_t>{1, 0}));
}

TEST(ReduceRuleTest, RefusesWhatDoesNotFit) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const auto code = [](const std::string& kind, const Ints& axes) {
    return Reduce(kind, axes).Input(Floats({2, 2}, {1, 2, 3, 4})).InferStatus().code();
  };
  EXPECT_EQ(code("mean", {0}), kInvalid);
  EXPECT_EQ(code("mean", {-2}), kInvalid);
  EXPECT_EQ(code("mean", {1, 1}), kInvalid);
  EXPECT_EQ(code("mean", {1, -1}), kInvalid);
  EXPECT_EQ(code("mean", {}), kInvalid);
  EXPECT_EQ(code("median", {1}), kInvalid);
  for (const char* const kind : {"sum", "prod"}) {
    EXPECT_EQ(Reduce(kind, {1}).Input(Int8s({1, 1}, {1}), Quantization(1, 0)).InferStatus().code(),
              absl::StatusCode::kUnimplemented);
  }
}

}  // namespace
}  // namespace octet
