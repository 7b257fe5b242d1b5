// SPDX-License-Identifier: Apache-2.0
#include "models/importers/float_constant.h"

#include <cmath>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>
#include <vector>

namespace octet {
namespace {

using ::testing::ElementsAre;

template <typename T>
std::vector<float> Widened(DataType type, const std::vector<T>& elements) {
  const auto constant =
      ConstantTensor::Copy(type, {static_cast<std::int64_t>(elements.size())}, elements);
  const auto wide = WidenToFloat(constant);
  EXPECT_TRUE(wide.ok()) << wide.status();
  EXPECT_EQ(wide->dims(), constant.dims());
  const std::span<const float> values = wide->template as<float>();
  return {values.begin(), values.end()};
}

TEST(FloatConstantTest, HalfFloatsAreWidenedExactly) {
  // 1, -2, the largest, the smallest below normal, and infinity.
  const std::vector<std::uint16_t> halves = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00};
  EXPECT_THAT(Widened(DataType::kFloat16, halves),
              ElementsAre(1.0F, -2.0F, 65504.0F, std::ldexp(1.0F, -24), INFINITY));
  EXPECT_TRUE(std::isnan(Widened<std::uint16_t>(DataType::kFloat16, {0x7e00})[0]));
}

TEST(FloatConstantTest, Bfloat16IsTheUpperHalf) {
  EXPECT_THAT(Widened<std::uint16_t>(DataType::kBfloat16, {0x3f80, 0xc040}),
              ElementsAre(1.0F, -3.0F));
}

TEST(FloatConstantTest, IntegersKeepTheirValue) {
  EXPECT_THAT(Widened<std::int8_t>(DataType::kInt8, {-128, 127}), ElementsAre(-128.0F, 127.0F));
  EXPECT_THAT(Widened<std::uint8_t>(DataType::kUint8, {255}), ElementsAre(255.0F));
}

TEST(FloatConstantTest, WhatIsNoNumberIsRefused) {
  const auto constant = ConstantTensor::Copy(DataType::kBool, {1}, std::vector<std::uint8_t>{1});
  EXPECT_EQ(WidenToFloat(constant).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
