// SPDX-License-Identifier: Apache-2.0

#include "models/operators/pad.h"

#include <cstdint>
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
