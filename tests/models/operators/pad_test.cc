// SPDX-License-Identifier: Apache-2.0

#include "models/operators/pad.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class PadTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(PadTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(PadTest, SurroundsWithTheValue) {
  OperatorRun run(MakePad());
  run.Input(Floats({2, 1, 2}, {1, 2, 3, 4}))
      .With("pads", Ints{0, 1, 0, 0, 0, 1})
      .With("value", 9.0);
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{2, 2, 3}));
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{9, 9, 9, 1, 2, 9, 9, 9, 9, 3, 4, 9}));
}

TEST_P(PadTest, Int8IsPaddedWithTheQuantizedValue) {
  OperatorRun run(MakePad());
  run.Input(Int8s({1, 1}, {7}), Quantization(0.5F, -3)).With("pads", Ints{0, 1, 0, 0});
  EXPECT_EQ(run.First<std::int8_t>(Kernels()), (std::vector<std::int8_t>{-3, 7}));
}

TEST_P(PadTest, Int16IsPaddedWithTheQuantizedValue) {
  OperatorRun run(MakePad());
  run.Input(Int16s({1, 1}, {7}), Quantization(0.5F, 0))
      .With("pads", Ints{0, 1, 0, 0})
      .With("value", -500.0);
  EXPECT_EQ(run.First<std::int16_t>(Kernels()), (std::vector<std::int16_t>{-1000, 7}));
}

TEST_P(PadTest, SurroundsWithTheTensorsOwnElements) {
  const auto run = [&](const std::string& mode, const Ints& pads) {
    return OperatorRun(MakePad())
        .Input(Floats({1, 2, 3}, {1, 2, 3, 4, 5, 6}))
        .With("mode", mode)
        .With("pads", pads)
        .First(Kernels());
  };
  EXPECT_EQ(run("edge", {0, 1, 0, 0, 0, 2}), (std::vector<float>{1, 2, 3, 3, 3,  //
                                                                 1, 2, 3, 3, 3,  //
                                                                 4, 5, 6, 6, 6}));
  EXPECT_EQ(run("reflect", {0, 0, 2, 0, 1, 1}), (std::vector<float>{3, 2, 1, 2, 3, 2,  //
                                                                    6, 5, 4, 5, 6, 5,  //
                                                                    3, 2, 1, 2, 3, 2}));
  EXPECT_EQ(run("symmetric", {0, 1, 2, 0, 0, 1}), (std::vector<float>{2, 1, 1, 2, 3, 3,  //
                                                                      2, 1, 1, 2, 3, 3,  //
                                                                      5, 4, 4, 5, 6, 6}));
  EXPECT_EQ(run("wrap", {0, 1, 1, 0, 0, 2}), (std::vector<float>{6, 4, 5, 6, 4, 5,  //
                                                                 3, 1, 2, 3, 1, 2,  //
                                                                 6, 4, 5, 6, 4, 5}));
}

TEST_P(PadTest, ABorderWiderThanTheTensorGoesOn) {
  const auto run = [&](const std::string& mode, const std::vector<std::uint8_t>& x) {
    const auto size = static_cast<std::int64_t>(x.size());
    return OperatorRun(MakePad())
        .Input(MakeTensor(DataType::kUint8, {1, size}, x))
        .With("mode", mode)
        .With("pads", Ints{0, 4, 0, 4})
        .First<std::uint8_t>(Kernels());
  };
  using Bytes = std::vector<std::uint8_t>;
  EXPECT_EQ(run("reflect", {1, 2, 3}), (Bytes{1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3}));
  EXPECT_EQ(run("symmetric", {1, 2, 3}), (Bytes{3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1}));
  EXPECT_EQ(run("wrap", {1, 2, 3}), (Bytes{3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1}));
  for (const char* const mode : {"edge", "reflect", "symmetric", "wrap"}) {
    EXPECT_EQ(run(mode, {7}), Bytes(9, 7)) << mode;
  }
}

TEST(PadRuleTest, ABorderIsMadeOfSomething) {
  const auto code = [](const std::string& mode, std::int64_t size) {
    OperatorRun run(MakePad());
    run.Input(Floats({1, size}, std::vector<float>(static_cast<std::size_t>(size))));
    return run.With("mode", mode).With("pads", Ints{0, 1, 0, 0}).InferStatus().code();
  };
  EXPECT_EQ(code("edge", 1), absl::StatusCode::kOk);
  EXPECT_EQ(code("constant", 0), absl::StatusCode::kOk);
  EXPECT_EQ(code("edge", 0), kInvalid);
  EXPECT_EQ(code("mirror", 1), kInvalid);
}

TEST(PadRuleTest, RefusesWhatDoesNotFit) {
  for (const Ints& pads :
       {Ints{1, 0, 0, 0}, Ints{0, -1, 0, 0}, Ints{0, 1}, Ints{0, INT64_MAX, 0, 0}}) {
    OperatorRun run(MakePad());
    run.Input(Floats({1, 1}, {1})).With("pads", pads);
    EXPECT_EQ(run.InferStatus().code(), kInvalid) << ToString(pads);
  }
}

}  // namespace
}  // namespace octet
