// SPDX-License-Identifier: Apache-2.0

#include "models/importers/keras/tensor_literal.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet::keras {
namespace {

using ::testing::ElementsAre;

std::optional<ConstantTensor> ParseText(const std::string& value, const std::string& dtype) {
  return ParseTensorLiteral(Json::parse(R"({"class_name": "__tensor__", "config": {"value": )" +
                                        value + R"(, "dtype": ")" + dtype + R"("}})"));
}

TEST(TensorLiteralTest, NestedListsInEveryType) {
  const auto floats = ParseText("[[1, 2.5, -3], [4, 5, 6]]", "float32");
  ASSERT_TRUE(floats.has_value());
  EXPECT_EQ(floats->dims(), (Dims{2, 3}));
  EXPECT_THAT(floats->as<float>(), ElementsAre(1, 2.5, -3, 4, 5, 6));
  const auto integers = ParseText("[7, -8]", "int64");
  ASSERT_TRUE(integers.has_value());
  EXPECT_EQ(integers->data_type(), DataType::kInt32);
  EXPECT_THAT(integers->as<std::int32_t>(), ElementsAre(7, -8));
  const auto flags = ParseText("[true, false]", "bool");
  ASSERT_TRUE(flags.has_value());
  EXPECT_EQ(flags->data_type(), DataType::kBool);
  EXPECT_THAT(flags->as<std::uint8_t>(), ElementsAre(1, 0));
  const auto scalar = ParseText("2", "bfloat16");
  ASSERT_TRUE(scalar.has_value());
  EXPECT_EQ(scalar->dims(), Dims{});
}

TEST(TensorLiteralTest, AnythingElseIsNone) {
  EXPECT_FALSE(ParseText("[[1, 2], [3]]", "float32").has_value());
  EXPECT_FALSE(ParseText("[1, [2]]", "float32").has_value());
  EXPECT_FALSE(ParseText("[[1], 2]", "float32").has_value());
  EXPECT_FALSE(ParseText("[]", "float32").has_value());
  EXPECT_FALSE(ParseText(R"(["a"])", "float32").has_value());
  EXPECT_FALSE(ParseText("[[[[[[[[[1]]]]]]]]]", "float32").has_value());
  EXPECT_FALSE(ParseText("[2147483648]", "int64").has_value());
  EXPECT_FALSE(ParseText("[1.5]", "int32").has_value());
  EXPECT_FALSE(ParseText("[1]", "string").has_value());
  EXPECT_FALSE(ParseTensorLiteral(Json::parse(R"({"class_name": "__tensor__"})")).has_value());
  EXPECT_FALSE(ParseTensorLiteral(Json::parse("[1, 2]")).has_value());
}

}  // namespace
}  // namespace octet::keras
