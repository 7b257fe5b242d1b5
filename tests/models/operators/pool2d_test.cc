// SPDX-License-Identifier: Apache-2.0

#include "models/operators/pool2d.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class Pool2dTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(Pool2dTest);

using Ints = std::vector<std::int64_t>;

OperatorRun Pool(std::unique_ptr<const Operator> op, const std::string& padding) {
  OperatorRun run(std::move(op));
  run.With("pool_size", Ints{2, 2}).With("strides", Ints{2, 2}).With("padding", padding);
  return run;
}

TEST_P(Pool2dTest, WindowsCountOnlyPixelsInsideTheImage) {
  const auto input = [] { return Floats({1, 3, 3, 1}, {1, 2, 3, 4, 5, 6, 7, 8, -9}); };
  EXPECT_EQ(Pool(MakeMaxPool2d(), "valid").Input(input()).First(Kernels()),
            (std::vector<float>{5}));
  EXPECT_EQ(Pool(MakeMaxPool2d(), "same").Input(input()).First(Kernels()),
            (std::vector<float>{5, 6, 8, -9}));
  EXPECT_EQ(Pool(MakeAveragePool2d(), "same").Input(input()).First(Kernels()),
            (std::vector<float>{3, 4.5F, 7.5F, -9}));
}

TEST_P(Pool2dTest, AverageOfIntegersRoundsHalfUpWhereToldTo) {
  EXPECT_EQ(Pool(MakeAveragePool2d(), "valid")
                .With("rounding", "half_up")
                .Input(Int8s({1, 2, 4, 1}, {1, 2, -1, -2, 1, 2, -1, -2}), Quantization(1, 3))
                .First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{2, -1}));
  OperatorRun floats = Pool(MakeAveragePool2d(), "valid");
  floats.With("rounding", "half_up").Input(Floats({1, 2, 2, 1}, {1, 2, 3, 4}));
  EXPECT_EQ(floats.InferStatus().code(), absl::StatusCode::kUnimplemented);
}

TEST_P(Pool2dTest, Int8AverageRoundsHalfAwayFromZero) {
  const auto y = Pool(MakeAveragePool2d(), "valid")
                     .Input(Int8s({1, 2, 4, 1}, {1, 2, -1, -2, 1, 2, -1, -2}), Quantization(1, 3))
                     .First<std::int8_t>(Kernels());
  EXPECT_EQ(y, (std::vector<std::int8_t>{2, -2}));
  EXPECT_EQ(Pool(MakeMaxPool2d(), "valid")
                .Input(Int8s({1, 2, 2, 2}, {1, -8, 2, -7, 3, -6, 4, -5}), Quantization(1, 3))
                .First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{4, -5}));
}

TEST_P(Pool2dTest, Int16AverageRoundsHalfAwayFromZero) {
  const auto y =
      Pool(MakeAveragePool2d(), "valid")
          .Input(Int16s({1, 2, 4, 1}, {999, 1000, -1, -2, 999, 1000, -1, -2}), Quantization(1, 0))
          .First<std::int16_t>(Kernels());
  EXPECT_EQ(y, (std::vector<std::int16_t>{1000, -2}));
  EXPECT_EQ(
      Pool(MakeMaxPool2d(), "valid")
          .Input(Int16s({1, 2, 2, 2}, {1, -800, 2, -700, 3, -600, 400, -500}), Quantization(1, 0))
          .First<std::int16_t>(Kernels()),
      (std::vector<std::int16_t>{400, -500}));
}

TEST_P(Pool2dTest, AnOpenSizeIsTheFixedOneToTheBit) {
  for (const bool is_max : {true, false}) {
    for (const char* const padding : {"valid", "same"}) {
      for (const std::int64_t size : {2, 3, 8, 33}) {
        const auto pool = [&] {
          const auto count = static_cast<std::size_t>(2 * size * (size + 1) * 3);
          auto run = Pool(is_max ? MakeMaxPool2d() : MakeAveragePool2d(), padding);
          run.With("pool_size", Ints{2, 3}).Input(Floats({2, size, size + 1, 3}, Noise(count, 1)));
          return run;
        };
        const auto want = pool().Run(Kernels());
        ASSERT_TRUE(want.ok()) << want.status();
        const auto got = pool().Open(0, 1).Open(0, 2).Run(Kernels());
        ASSERT_TRUE(got.ok()) << got.status();
        EXPECT_EQ((*got)[0].dims(), (*want)[0].dims());
        EXPECT_EQ(Elements<float>((*got)[0]), Elements<float>((*want)[0]));
      }
    }
  }
}

TEST_P(Pool2dTest, AnOpenSizeThatIsTooSmallIsRefusedWhenItComes) {
  const auto outputs =
      Pool(MakeMaxPool2d(), "valid").Input(Floats({1, 1, 2, 1}, {1, 2})).Open(0, 1).Run(Kernels());
  EXPECT_EQ(outputs.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Pool2dRuleTest, RefusesWhatDoesNotFit) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const auto input = [] { return Floats({1, 2, 2, 1}, {1, 2, 3, 4}); };
  EXPECT_EQ(OperatorRun(MakeMaxPool2d()).Input(input()).InferStatus().code(), kInvalid);
  EXPECT_EQ(Pool(MakeMaxPool2d(), "valid")
                .Input(input())
                .With("pool_size", Ints{3, 2})
                .InferStatus()
                .code(),
            kInvalid);
  EXPECT_EQ(Pool(MakeMaxPool2d(), "explicit")
                .Input(input())
                .With("pads", Ints{2, 0, 0, 0})
                .InferStatus()
                .code(),
            kInvalid);
}

}  // namespace
}  // namespace octet
