// SPDX-License-Identifier: Apache-2.0

#include "models/operators/concat.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ConcatTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ConcatTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(ConcatTest, JoinsAlongAnyAxisButTheBatch) {
  OperatorRun last(MakeConcat());
  last.Input(Floats({2, 1}, {1, 2})).Input(Floats({2, 2}, {3, 4, 5, 6}));
  EXPECT_EQ(last.First(Kernels()), (std::vector<float>{1, 3, 4, 2, 5, 6}));
  OperatorRun middle(MakeConcat());
  middle.Input(Int8s({2, 1, 2}, {1, 2, 3, 4}), Quantization(0.5F, 1))
      .Input(Int8s({2, 1, 2}, {5, 6, 7, 8}), Quantization(0.5F, 1))
      .With("axis", std::int64_t{1});
  EXPECT_EQ(middle.First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{1, 2, 5, 6, 3, 4, 7, 8}));
}

TEST(ConcatRuleTest, RefusesWhatDoesNotFit) {
  OperatorRun batch(MakeConcat());
  batch.Input(Floats({1, 1}, {1})).With("axis", std::int64_t{0});
  EXPECT_EQ(batch.InferStatus().code(), kInvalid);
  OperatorRun shapes(MakeConcat());
  shapes.Input(Floats({1, 1, 1}, {1})).Input(Floats({1, 2, 1}, {1, 2}));
  EXPECT_EQ(shapes.InferStatus().code(), kInvalid);
  OperatorRun scales(MakeConcat());
  scales.Input(Int8s({1, 1}, {1}), Quantization(1, 0))
      .Input(Int8s({1, 1}, {1}), Quantization(2, 0));
  EXPECT_EQ(scales.InferStatus().code(), kInvalid);
  EXPECT_EQ(OperatorRun(MakeConcat()).InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
