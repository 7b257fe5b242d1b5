// SPDX-License-Identifier: Apache-2.0
#include "models/importers/graph_builder.h"

#include <cmath>
#include <gtest/gtest.h>

namespace octet {
namespace {

float ScalarOf(const GraphBuilder& builder, ValueId id) {
  return builder.graph().values[static_cast<std::size_t>(id)].constant->as<float>()[0];
}

TEST(GraphBuilderTest, EveryScalarHasAConstantOfItsOwn) {
  const OperatorRegistry operators;
  GraphBuilder builder(operators);
  const float third = 1.0F / 3.0F;
  for (const float value : {1000001.0F, 1000002.0F, third, std::nextafter(third, 1.0F), 0.0F, -0.0F,
                            1e-42F, INFINITY}) {
    const ValueId id = builder.AddScalar(value);
    EXPECT_EQ(ScalarOf(builder, id), value);
    EXPECT_EQ(std::signbit(ScalarOf(builder, id)), std::signbit(value));
    EXPECT_EQ(builder.AddScalar(value), id);
  }
  EXPECT_EQ(builder.graph().values.size(), 8U);
}

TEST(GraphBuilderTest, AConstantIsKnownByItsName) {
  const OperatorRegistry operators;
  GraphBuilder builder(operators);
  const auto tensor = ConstantTensor::Copy(DataType::kFloat32, {1}, std::vector<float>{2.0F});
  const ValueId id = builder.AddConstant("kernel", tensor);
  EXPECT_EQ(builder.AddConstant("kernel", tensor), id);
  EXPECT_NE(builder.AddConstant("bias", tensor), id);
}

}  // namespace
}  // namespace octet
