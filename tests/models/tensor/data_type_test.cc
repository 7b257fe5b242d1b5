// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/data_type.h"

#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(DataTypeTest, EveryNameParsesBack) {
  for (int i = 0; i <= static_cast<int>(DataType::kFloat64); ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(ParseDataType(DataTypeName(type)), type) << DataTypeName(type);
  }
  EXPECT_EQ(ParseDataType("fp32"), std::nullopt);
  EXPECT_EQ(ParseDataType("BYTES"), std::nullopt);
  EXPECT_EQ(ParseDataType(""), std::nullopt);
}

TEST(DataTypeTest, NamesAreTheProtocols) {
  EXPECT_EQ(DataTypeName(DataType::kFloat32), "FP32");
  EXPECT_EQ(DataTypeName(DataType::kBfloat16), "BF16");
  EXPECT_EQ(DataTypeName(DataType::kUint8), "UINT8");
  EXPECT_EQ(DataTypeName(DataType::kBool), "BOOL");
}

TEST(DataTypeTest, Widths) {
  EXPECT_EQ(BitWidth(DataType::kInt4), 4U);
  EXPECT_EQ(BitWidth(DataType::kUint4), 4U);
  EXPECT_EQ(BitWidth(DataType::kBool), 8U);
  EXPECT_EQ(BitWidth(DataType::kFloat16), 16U);
  EXPECT_EQ(BitWidth(DataType::kInt32), 32U);
  EXPECT_EQ(BitWidth(DataType::kFloat64), 64U);
}

TEST(DataTypeTest, WholeNumbers) {
  EXPECT_TRUE(IsInteger(DataType::kInt4));
  EXPECT_TRUE(IsInteger(DataType::kUint64));
  EXPECT_FALSE(IsInteger(DataType::kBool));
  EXPECT_FALSE(IsInteger(DataType::kFloat16));
}

}  // namespace
}  // namespace octet
