// SPDX-License-Identifier: Apache-2.0
#include "models/importers/quantized_constant.h"

#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace octet {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// Element i is i; scale j is j + 1.
QuantizedConstant Make(const Dims& dims, const Dims& blocks) {
  std::vector<std::int8_t> data(static_cast<std::size_t>(NumElements(dims)));
  std::iota(data.begin(), data.end(), std::int8_t{0});
  std::vector<float> scale(static_cast<std::size_t>(NumElements(blocks)));
  std::iota(scale.begin(), scale.end(), 1.0F);
  QuantizedConstant constant;
  constant.data = ConstantTensor::Copy(DataType::kInt8, dims, data);
  constant.scale = ConstantTensor::Copy(DataType::kFloat32, blocks, scale);
  return constant;
}

template <typename T>
std::vector<T> Elements(const ConstantTensor& tensor) {
  return {tensor.as<T>().begin(), tensor.as<T>().end()};
}

// The element's real value, by the definition.
float Real(const QuantizedConstant& constant, std::size_t index) {
  const Dims& dims = constant.data.dims();
  const Dims& blocks = constant.scale.dims();
  std::size_t rest = index;
  std::size_t block = 0;
  std::size_t stride = 1;
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    const auto size = static_cast<std::size_t>(dims[axis]);
    const auto count = static_cast<std::size_t>(blocks[axis]);
    block += rest % size / (size / count) * stride;
    rest /= size;
    stride *= count;
  }
  return static_cast<float>(constant.data.as<std::int8_t>()[index]) *
         constant.scale.as<float>()[block];
}

TEST(QuantizedConstantTest, ATransposeTakesTheScalesOfRowsToColumns) {
  const QuantizedConstant moved =
      Moved(Make({2, 3}, {2, 1}), {3, 2}, std::vector<std::int64_t>{0, 3, 1, 4, 2, 5});
  EXPECT_THAT(moved.data.dims(), ElementsAre(3, 2));
  EXPECT_THAT(Elements<std::int8_t>(moved.data), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(moved.scale.dims(), ElementsAre(1, 2));
  EXPECT_THAT(Elements<float>(moved.scale), ElementsAre(1, 2));
}

TEST(QuantizedConstantTest, ASliceKeepsWhatIsLeft) {
  const QuantizedConstant rows =
      Moved(Make({4, 2}, {4, 1}), {2, 2}, std::vector<std::int64_t>{2, 3, 4, 5});
  EXPECT_THAT(rows.scale.dims(), ElementsAre(2, 1));
  EXPECT_THAT(Elements<float>(rows.scale), ElementsAre(2, 3));
  // One row has one scale.
  const QuantizedConstant row =
      Moved(Make({4, 2}, {4, 1}), {1, 2}, std::vector<std::int64_t>{6, 7});
  EXPECT_THAT(row.scale.dims(), ElementsAre(1, 1));
  EXPECT_THAT(Elements<float>(row.scale), ElementsAre(4));
}

TEST(QuantizedConstantTest, ViewsAndPartsOfBlocksKeepEveryElementsValue) {
  const QuantizedConstant constant = Make({4, 6}, {2, 3});
  const std::vector<std::int64_t> part = {1, 2, 3, 7, 8, 9, 13, 14, 15};
  const QuantizedConstant views[] = {Moved(constant, {24}, {}), Moved(constant, {2, 2, 6}, {}),
                                     Moved(constant, {8, 3}, {})};
  for (const QuantizedConstant& view : views) {
    ASSERT_TRUE(Checked(view).ok()) << Checked(view).status();
    for (std::size_t i = 0; i < 24; ++i) EXPECT_EQ(Real(view, i), Real(constant, i)) << i;
  }
  const QuantizedConstant cut = Moved(constant, {3, 3}, part);
  for (std::size_t i = 0; i < part.size(); ++i) {
    EXPECT_EQ(Real(cut, i), Real(constant, static_cast<std::size_t>(part[i]))) << i;
  }
}

TEST(QuantizedConstantTest, OneScaleStaysOne) {
  const QuantizedConstant moved = Moved(Make({2, 3}, {1, 1}), {6, 1}, {});
  EXPECT_THAT(moved.scale.dims(), ElementsAre(1, 1));
}

TEST(QuantizedConstantTest, ZeroPointsMoveWithTheScales) {
  QuantizedConstant constant = Make({2, 2}, {2, 1});
  constant.zero_point =
      ConstantTensor::Copy(DataType::kInt8, {2, 1}, std::vector<std::int8_t>{-3, 4});
  const QuantizedConstant moved = Moved(constant, {2, 2}, std::vector<std::int64_t>{2, 3, 0, 1});
  EXPECT_THAT(Elements<std::int8_t>(*moved.zero_point), ElementsAre(4, -3));
}

TEST(QuantizedConstantTest, ZerosAreNoZeroPoint) {
  QuantizedConstant constant = Make({2, 2}, {2, 1});
  constant.zero_point =
      ConstantTensor::Copy(DataType::kInt8, {2, 1}, std::vector<std::int8_t>{0, 0});
  const auto checked = Checked(constant);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_FALSE(checked->zero_point.has_value());
}

TEST(QuantizedConstantTest, WhatDoesNotFitIsRefused) {
  const auto message = [](QuantizedConstant constant) {
    return std::string(Checked(std::move(constant)).status().message());
  };
  EXPECT_THAT(message(Make({4, 2}, {3, 1})), HasSubstr("its scale is FP32[3, 1]"));
  EXPECT_THAT(message(Make({4, 2}, {4})), HasSubstr("its scale is FP32[4]"));
  EXPECT_THAT(message(Make({0, 2}, {1, 1})), HasSubstr("and one element"));
  QuantizedConstant constant = Make({2, 2}, {2, 1});
  for (const float scale : {0.0F, -1.0F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    constant.scale = ConstantTensor::Copy(DataType::kFloat32, {2, 1}, std::vector<float>{1, scale});
    EXPECT_THAT(message(constant), HasSubstr("wants one above 0"));
  }
  constant = Make({2, 2}, {2, 1});
  constant.zero_point = ConstantTensor::Copy(DataType::kInt8, {1, 1}, std::vector<std::int8_t>{1});
  EXPECT_THAT(message(constant), HasSubstr("its zero point is [1, 1], its scale [2, 1]"));
}

}  // namespace
}  // namespace octet
