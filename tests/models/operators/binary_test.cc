// SPDX-License-Identifier: Apache-2.0

#include "models/operators/binary.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class BinaryTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(BinaryTest);

struct Kind {
  std::unique_ptr<const Operator> (*make)();
  std::function<float(float, float)> formula;
};

const std::vector<Kind>& Kinds() {
  static const auto* kinds = new std::vector<Kind>{
      {MakeAdd, [](float a, float b) { return a + b; }},
      {MakeSubtract, [](float a, float b) { return a - b; }},
      {MakeMultiply, [](float a, float b) { return a * b; }},
      {MakeDivide, [](float a, float b) { return a / b; }},
      {MakeMaximum, [](float a, float b) { return std::max(a, b); }},
      {MakeMinimum, [](float a, float b) { return std::min(a, b); }},
      {MakePower, [](float a, float b) { return std::pow(a, b); }},
  };
  return *kinds;
}

TEST_P(BinaryTest, EveryKindOnEqualShapesAndWithARowOrAColumn) {
  auto a = Noise(2 * 3 * 4, 1);
  for (float& value : a) value += 1.5F;  // positive: a base for Power
  const auto b = Noise(2 * 3 * 4, 2);
  const auto row = Noise(4, 3);
  const auto column = Noise(2 * 3, 4);
  for (const Kind& kind : Kinds()) {
    std::vector<float> equal;
    std::vector<float> with_row;
    std::vector<float> with_column;
    for (std::size_t i = 0; i < a.size(); ++i) {
      equal.push_back(kind.formula(a[i], b[i]));
      with_row.push_back(kind.formula(a[i], row[i % 4]));
      with_column.push_back(kind.formula(a[i], column[i / 4]));
    }
    ExpectNear(OperatorRun(kind.make())
                   .Input(Floats({2, 3, 4}, a))
                   .Input(Floats({2, 3, 4}, b))
                   .First(Kernels()),
               equal, 1e-6F);
    ExpectNear(OperatorRun(kind.make())
                   .Input(Floats({2, 3, 4}, a))
                   .Constant(FloatConstant({4}, row))
                   .First(Kernels()),
               with_row, 1e-6F);
    ExpectNear(OperatorRun(kind.make())
                   .Input(Floats({2, 3, 4}, a))
                   .Input(Floats({2, 3, 1}, column))
                   .First(Kernels()),
               with_column, 1e-6F);
  }
}

TEST_P(BinaryTest, BothSidesMayStretch) {
  const auto y = OperatorRun(MakeSubtract())
                     .Constant(FloatConstant({1, 1, 3}, {10, 20, 30}))
                     .Input(Floats({2, 2, 1}, {1, 2, 3, 4}))
                     .With("activation", "relu6")
                     .First(Kernels());
  EXPECT_EQ(y, (std::vector<float>{6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6}));
}

TEST_P(BinaryTest, Int8IsComputedInFloat32AndRoundedOnce) {
  const auto a = Int8Noise(2 * 5, 1);
  const auto b = Int8Noise(2 * 5, 2);
  for (const bool is_add : {true, false}) {
    const auto y = OperatorRun(is_add ? MakeAdd() : MakeMultiply())
                       .Input(Int8s({2, 5}, a), Quantization(0.1F, -3))
                       .Input(Int8s({2, 5}, b), Quantization(0.2F, 5))
                       .With("output_scale", 0.25)
                       .With("output_zero_point", std::int64_t{-10})
                       .With("activation", "relu")
                       .First<std::int8_t>(Kernels());
    ASSERT_EQ(y.size(), a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const float ra = static_cast<float>(a[i] + 3) * 0.1F;
      const float rb = static_cast<float>(b[i] - 5) * 0.2F;
      const float r = is_add ? ra + rb : ra * rb;
      const float q = std::nearbyint(r / 0.25F) - 10.0F;
      EXPECT_EQ(y[i], std::min(127.0F, std::max(-10.0F, q)));
    }
  }
}

// Ties of a result: 0.5 is 1 either way, and -0.5 is -1 where it is rounded a second time.
TEST_P(BinaryTest, Int8InFixedPoint) {
  const auto run = [](std::unique_ptr<const Operator> op, const std::string& rounding,
                      double output_scale) {
    return OperatorRun(std::move(op))
        .Input(Int8s({1, 6}, {1, -1, 3, -3, 127, -128}), Quantization(0.25F, 0))
        .Input(Int8s({1, 6}, {5, 5, 5, 5, 105, -95}), Quantization(0.25F, 5))
        .With("output_scale", output_scale)
        .With("output_zero_point", std::int64_t{1})
        .With("requantization", rounding)
        .First<std::int8_t>(Kernels());
  };
  using Bytes = std::vector<std::int8_t>;
  EXPECT_EQ(run(MakeAdd(), "fixed", 0.5), (Bytes{2, 0, 3, -1, 115, -113}));
  EXPECT_EQ(run(MakeAdd(), "fixed_single", 0.5), (Bytes{2, 1, 3, 0, 115, -113}));
  EXPECT_EQ(run(MakeSubtract(), "fixed", 0.5), (Bytes{2, 0, 3, -1, 15, -13}));
  EXPECT_EQ(run(MakeSubtract(), "fixed_single", 0.5), (Bytes{2, 1, 3, 0, 15, -13}));
  EXPECT_EQ(run(MakeMultiply(), "fixed", 6.25), (Bytes{1, 1, 1, 1, 127, 127}));
}

TEST_P(BinaryTest, Int16InFixedPoint) {
  const auto run = [](std::unique_ptr<const Operator> op, const std::string& rounding,
                      double output_scale) {
    return OperatorRun(std::move(op))
        .Input(Int16s({1, 6}, {1, -1, 3, -3, 127, -32768}), Quantization(0.25F, 0))
        .Input(Int16s({1, 6}, {0, 0, 0, 0, 100, -32768}), Quantization(0.25F, 0))
        .With("output_scale", output_scale)
        .With("requantization", rounding)
        .First<std::int16_t>(Kernels());
  };
  using Shorts = std::vector<std::int16_t>;
  EXPECT_EQ(run(MakeAdd(), "fixed", 0.5), (Shorts{1, -1, 2, -2, 114, -32768}));
  EXPECT_EQ(run(MakeAdd(), "fixed_single", 0.5), (Shorts{1, 0, 2, -1, 114, -32768}));
  EXPECT_EQ(run(MakeSubtract(), "fixed", 0.5), (Shorts{1, -1, 2, -2, 14, 0}));
  EXPECT_EQ(run(MakeMultiply(), "fixed", 6.25), (Shorts{0, 0, 0, 0, 127, 32767}));
}

TEST(BinaryRuleTest, FixedPointIsForIntegers) {
  const auto status = [](std::unique_ptr<const Operator> op, const std::string& requantization) {
    OperatorRun run(std::move(op));
    run.Input(Int16s({1, 1}, {1}), Quantization(1, 0))
        .Input(Int16s({1, 1}, {1}), Quantization(1, 0))
        .With("output_scale", 1.0)
        .With("requantization", requantization);
    return run.InferStatus().code();
  };
  EXPECT_EQ(status(MakeAdd(), "fixed"), absl::StatusCode::kOk);
  EXPECT_EQ(status(MakeMaximum(), "fixed"), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(status(MakeAdd(), "float64_away"), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(status(MakeAdd(), "float32"), absl::StatusCode::kOk);
  EXPECT_EQ(status(MakeAdd(), "triple"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status(MakeSubtract(), "float32"), absl::StatusCode::kUnimplemented);
}

TEST_P(BinaryTest, Int16IsComputedInFloat32AndRoundedOnce) {
  const auto a = Int16Noise(2 * 5, 1);
  const auto b = Int16Noise(2 * 5, 2);
  for (const bool is_add : {true, false}) {
    const auto y = OperatorRun(is_add ? MakeAdd() : MakeMultiply())
                       .Input(Int16s({2, 5}, a), Quantization(0.001F, 0))
                       .Input(Int16s({2, 5}, b), Quantization(0.002F, 0))
                       .With("output_scale", 0.03125)
                       .With("activation", "relu6")
                       .First<std::int16_t>(Kernels());
    ASSERT_EQ(y.size(), a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const float ra = static_cast<float>(a[i]) * 0.001F;
      const float rb = static_cast<float>(b[i]) * 0.002F;
      const float r = is_add ? ra + rb : ra * rb;
      EXPECT_EQ(y[i], std::min(192.0F, std::max(0.0F, std::nearbyint(r / 0.03125F))));
    }
  }
}

TEST(BinaryRuleTest, RefusesInt16WithAZeroPointOrWithInt8) {
  const auto add = [] {
    OperatorRun run(MakeAdd());
    run.Input(Int16s({1, 1}, {1}), Quantization(1, 0));
    return run;
  };
  EXPECT_EQ(
      add()
          .Input(Int16s({1, 1}, {1}), Quantization(1, 0))
          .With("output_scale", 1.0)
          .With("output_zero_point", std::int64_t{1})
          .InferStatus()
          .message(),
      "Add \"under_test\": attribute \"output_zero_point\" is 1 for an INT16 tensor, wants 0");
  EXPECT_FALSE(add()
                   .Input(Int8s({1, 1}, {1}), Quantization(1, 0))
                   .With("output_scale", 1.0)
                   .InferStatus()
                   .ok());
}

TEST(BinaryRuleTest, RefusesWhatDoesNotFit) {
  const auto code = [](const OperatorRun& run) { return run.InferStatus().code(); };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code(OperatorRun(MakeAdd()).Input(Floats({1, 2}, {1, 2}))), kInvalid);
  EXPECT_EQ(
      code(OperatorRun(MakeAdd()).Input(Floats({1, 2}, {1, 2})).Input(Floats({1, 3}, {1, 2, 3}))),
      kInvalid);
  // A constant of another batch, and one whose rank would move the batch.
  EXPECT_EQ(code(OperatorRun(MakeAdd())
                     .Input(Floats({2, 1}, {1, 2}))
                     .Constant(FloatConstant({2, 1}, {1, 2}))),
            kInvalid);
  EXPECT_EQ(code(OperatorRun(MakeAdd())
                     .Input(Floats({2, 1}, {1, 2}))
                     .Constant(FloatConstant({3, 1, 1}, {1, 2, 3}))),
            kInvalid);
  EXPECT_EQ(code(OperatorRun(MakeAdd())
                     .Input(Floats({1, 1}, {1}))
                     .Input(Int8s({1, 1}, {1}), Quantization(1, 0))),
            kInvalid);
  EXPECT_EQ(code(OperatorRun(MakeDivide())
                     .Input(Int8s({1, 1}, {1}), Quantization(1, 0))
                     .Input(Int8s({1, 1}, {1}), Quantization(1, 0))
                     .With("output_scale", 1.0)),
            absl::StatusCode::kUnimplemented);
}

// Integers that stand for themselves.
TEST_P(BinaryTest, WholeNumbersWrapAround) {
  const auto numbers = [](const std::vector<std::int64_t>& values) {
    return MakeTensor(DataType::kInt64, {static_cast<std::int64_t>(values.size()), 1}, values);
  };
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  const auto run = [&](std::unique_ptr<const Operator> op) {
    return OperatorRun(std::move(op))
        .Input(numbers({7, -7, kMost, kLeast, 5}))
        .Input(numbers({2, 2, 1, -1, 0}))
        .First<std::int64_t>(Kernels());
  };
  using Numbers = std::vector<std::int64_t>;
  EXPECT_EQ(run(MakeAdd()), (Numbers{9, -5, kLeast, kMost, 5}));
  EXPECT_EQ(run(MakeSubtract()), (Numbers{5, -9, kMost - 1, kLeast + 1, 5}));
  EXPECT_EQ(run(MakeMultiply()), (Numbers{14, -14, kMost, kLeast, 0}));
  EXPECT_EQ(run(MakeDivide()), (Numbers{3, -3, kMost, kLeast, 0}));
  EXPECT_EQ(run(MakeMaximum()), (Numbers{7, 2, kMost, -1, 5}));
  EXPECT_EQ(run(MakeMinimum()), (Numbers{2, -7, 1, kLeast, 0}));
}

TEST_P(BinaryTest, SmallWholeNumbersWrapAroundToo) {
  const auto bytes = [](const std::vector<std::uint8_t>& values) {
    return MakeTensor(DataType::kUint8, {static_cast<std::int64_t>(values.size()), 1}, values);
  };
  const auto run = [&](std::unique_ptr<const Operator> op) {
    return OperatorRun(std::move(op))
        .Input(bytes({200, 3}))
        .Input(bytes({100, 5}))
        .First<std::uint8_t>(Kernels());
  };
  EXPECT_EQ(run(MakeAdd()), (std::vector<std::uint8_t>{44, 8}));
  EXPECT_EQ(run(MakeSubtract()), (std::vector<std::uint8_t>{100, 254}));
  EXPECT_EQ(run(MakeMultiply()), (std::vector<std::uint8_t>{32, 15}));
}

TEST_P(BinaryTest, PowersOfWholeNumbers) {
  const auto power = [&](auto example, DataType type, const auto& base, const auto& exponent) {
    const auto size = static_cast<std::int64_t>(base.size());
    return OperatorRun(MakePower())
        .Input(MakeTensor(type, {size, 1}, base))
        .Input(MakeTensor(type, {size, 1}, exponent))
        .template First<decltype(example)>(Kernels());
  };
  using Numbers = std::vector<std::int64_t>;
  EXPECT_EQ(
      power(std::int64_t{}, DataType::kInt64, Numbers{2, -3, 0, 3, 7, 3},
            Numbers{62, 3, 0, 41, 0, 40}),
      (Numbers{std::int64_t{1} << 62, -27, 1, static_cast<std::int64_t>(12157665459056928801U * 3),
               1, static_cast<std::int64_t>(12157665459056928801U)}));
  // What lies between 0 and 1 is cut to 0.
  EXPECT_EQ(power(std::int64_t{}, DataType::kInt64, Numbers{2, 1, -1, -1, 0, -2},
                  Numbers{-1, -5, -3, INT64_MIN, -1, -1}),
            (Numbers{0, 1, -1, 1, 0, 0}));
  using Bytes = std::vector<std::uint8_t>;
  EXPECT_EQ(power(std::uint8_t{}, DataType::kUint8, Bytes{3, 2, 255, 16}, Bytes{5, 7, 255, 2}),
            (Bytes{243, 128, 255, 0}));
}

}  // namespace
}  // namespace octet
