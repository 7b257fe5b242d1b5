// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fake_quantize.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class FakeQuantizeTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(FakeQuantizeTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(FakeQuantizeTest, OneRangeIsForAllElements) {
  OperatorRun run(MakeFakeQuantize());
  run.Input(Floats({2, 2}, {-9, -1, 0.5F, 9}))
      .Constant(FloatConstant({}, {-1.3F}))
      .Constant(FloatConstant({}, {2.7F}));
  EXPECT_EQ(run.First(Kernels()),
            (std::vector<float>{-0x1.4d4d4ep+0F, -0x1.010102p+0F, 0x1.010102p-1F, 0x1.59595ap+1F}));
}

TEST_P(FakeQuantizeTest, OneRangeAChannelIsForItsLastIndex) {
  OperatorRun run(MakeFakeQuantize());
  run.Input(Floats({2, 2}, {-1, -1, 0.5F, 1}))
      .Constant(FloatConstant({2}, {-3, -1.3F}))
      .Constant(FloatConstant({2}, {-1, 2.7F}));
  EXPECT_EQ(run.First(Kernels()),
            (std::vector<float>{-0x1.fdfep-1F, -0x1.010102p+0F, 0, 0x1.010102p+0F}));
}

TEST_P(FakeQuantizeTest, AttributesSayBitsAndRange) {
  OperatorRun run(MakeFakeQuantize());
  run.Input(Floats({1, 3}, {-1, 0.5F, 9}))
      .Constant(FloatConstant({}, {-0.7F}))
      .Constant(FloatConstant({}, {1.9F}));
  run.With("num_bits", std::int64_t{4});
  EXPECT_EQ(run.First(Kernels()),
            (std::vector<float>{-0x1.62fc96p-1F, 0x1.0a3d7p-1F, 0x1.e81b4ep+0F}));
}

// The operator for a fixed range has one, and multiplies by the inverse of its step.
TEST_P(FakeQuantizeTest, DivisionIsAChoice) {
  for (const std::int64_t divides : {0, 1}) {
    OperatorRun run(MakeFakeQuantize());
    run.Input(Floats({1, 1}, {-1}))
        .Constant(FloatConstant({}, {-3}))
        .Constant(FloatConstant({}, {-1}));
    run.With("divides", divides);
    EXPECT_EQ(run.First(Kernels()),
              (std::vector<float>{divides == 1 ? -0x1.010102p+0F : -0x1.fdfep-1F}));
  }
}

TEST(FakeQuantizeRuleTest, RefusesRangesThatDoNotFit) {
  OperatorRun count(MakeFakeQuantize());
  count.Input(Floats({1, 3}, {1, 2, 3}))
      .Constant(FloatConstant({2}, {-1, -1}))
      .Constant(FloatConstant({2}, {1, 1}));
  EXPECT_EQ(count.InferStatus().code(), kInvalid);
  OperatorRun shapes(MakeFakeQuantize());
  shapes.Input(Floats({1, 2}, {1, 2}))
      .Constant(FloatConstant({2}, {-1, -1}))
      .Constant(FloatConstant({}, {1}));
  EXPECT_EQ(shapes.InferStatus().code(), kInvalid);
  OperatorRun order(MakeFakeQuantize());
  order.Input(Floats({1, 1}, {1}))
      .Constant(FloatConstant({}, {1}))
      .Constant(FloatConstant({}, {-1}));
  EXPECT_EQ(order.InferStatus().code(), kInvalid);
  OperatorRun bits(MakeFakeQuantize());
  bits.Input(Floats({1, 1}, {1}))
      .Constant(FloatConstant({}, {-1}))
      .Constant(FloatConstant({}, {1}));
  bits.With("num_bits", std::int64_t{17});
  EXPECT_EQ(bits.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
