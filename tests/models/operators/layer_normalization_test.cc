// SPDX-License-Identifier: Apache-2.0

#include "models/operators/layer_normalization.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class LayerNormalizationTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(LayerNormalizationTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(LayerNormalizationTest, NormalizesEachRow) {
  OperatorRun run(MakeLayerNormalization());
  run.Input(Floats({2, 2}, {1, 3, 10, 30}))
      .Constant(FloatConstant({2}, {1, 2}))
      .Constant(FloatConstant({2}, {0, 1}))
      .With("epsilon", 1e-12);
  ExpectNear(run.First(Kernels()), {-1, 3, -1, 3}, 1e-5F);
}

TEST_P(LayerNormalizationTest, FromAnAxisToTheLast) {
  OperatorRun run(MakeLayerNormalization());
  run.Input(Floats({1, 2, 2}, {1, 1, 3, 3})).With("axis", std::int64_t{1}).With("epsilon", 1e-12);
  ExpectNear(run.First(Kernels()), {-1, -1, 1, 1}, 1e-5F);
}

TEST_P(LayerNormalizationTest, RmsDividesByTheRootOfTheMeanSquare) {
  OperatorRun run(MakeRmsNormalization());
  run.Input(Floats({1, 2}, {3, 4})).Constant(FloatConstant({2}, {1, 2})).With("epsilon", 1e-12);
  const float root = std::sqrt(12.5F);
  ExpectNear(run.First(Kernels()), {3 / root, 8 / root}, 1e-5F);
}

TEST(LayerNormalizationRuleTest, RefusesWhatDoesNotFit) {
  OperatorRun gamma(MakeLayerNormalization());
  gamma.Input(Floats({1, 2}, {1, 2})).Constant(FloatConstant({3}, {1, 2, 3}));
  EXPECT_EQ(gamma.InferStatus().code(), kInvalid);
  OperatorRun axis(MakeLayerNormalization());
  axis.Input(Floats({1, 2}, {1, 2})).With("axis", std::int64_t{0});
  EXPECT_EQ(axis.InferStatus().code(), kInvalid);
  OperatorRun epsilon(MakeRmsNormalization());
  epsilon.Input(Floats({1, 2}, {1, 2})).With("epsilon", 0.0);
  EXPECT_EQ(epsilon.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
