// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/self_test_vectors.h"

#include <gtest/gtest.h>

#include "models/operators/operators.h"
#include "models/quantization/weight_pass.h"
#include "tests/support/small_network.h"

namespace octet {
namespace {

std::vector<Tensor> Images(std::int64_t rows) {
  std::vector<Tensor> inputs;
  inputs.push_back(testing::SmallImages(rows));
  return inputs;
}

TEST(SelfTestVectorsTest, HoldsInputsAndWhatTheGraphAnswers) {
  const auto test = MakeSelfTest(testing::SmallNetwork().graph, BuiltInOperators(), Images(5));
  ASSERT_TRUE(test.ok()) << test.status();
  ASSERT_EQ(test->outputs.size(), 1U);
  EXPECT_EQ(test->outputs[0].dims(), Dims({5, 10}));
  float sum = 0.0F;
  for (const float value : test->outputs[0].as<float>()) sum += value;
  EXPECT_NEAR(sum, 5.0F, 1e-5F);  // five rows of probabilities
}

TEST(SelfTestVectorsTest, TheToleranceIsWiderWhereFloatsAreRounded) {
  Graph graph = testing::SmallNetwork().graph;
  const auto plain = MakeSelfTest(graph, BuiltInOperators(), Images(4));
  ASSERT_TRUE(QuantizeWeights(graph, QuantizationMode::kInt8Dynamic).ok());
  const auto dynamic = MakeSelfTest(graph, BuiltInOperators(), Images(4));
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_TRUE(dynamic.ok()) << dynamic.status();
  EXPECT_LT(plain->tolerance, dynamic->tolerance);
}

TEST(SelfTestVectorsTest, FewerThanFourRowsAreRefused) {
  EXPECT_EQ(
      MakeSelfTest(testing::SmallNetwork().graph, BuiltInOperators(), Images(3)).status().code(),
      absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
