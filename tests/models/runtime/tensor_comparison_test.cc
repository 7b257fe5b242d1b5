// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/tensor_comparison.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

template <typename T>
Tensor Make(DataType type, const std::vector<T>& elements) {
  Tensor tensor(type, {static_cast<std::int64_t>(elements.size())});
  std::ranges::copy(std::as_bytes(std::span(elements)), tensor.bytes().begin());
  return tensor;
}

template <typename T>
absl::Status Compare(DataType type, const std::vector<T>& got, const std::vector<T>& wants,
                     double tolerance = 0) {
  return CompareTensors(Make(type, got).view(), Make(type, wants).view(), tolerance);
}

template <typename T>
absl::Status CompareAnswer(DataType type, const std::vector<T>& got, const std::vector<T>& wants,
                           double tolerance) {
  return CompareAnswers(Make(type, got).view(), Make(type, wants).view(), tolerance);
}

TEST(TensorComparisonTest, IntegersMustBeEqual) {
  using Int8s = std::vector<std::int8_t>;
  EXPECT_TRUE(Compare<std::int8_t>(DataType::kInt8, {1, -2}, {1, -2}).ok());
  const absl::Status status =
      Compare<std::int8_t>(DataType::kInt8, Int8s{1, -2, 5}, Int8s{1, -3, 6}, 100);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "element 1: got -2, wants -3");
  EXPECT_FALSE(Compare<std::int32_t>(DataType::kInt32, {1 << 30}, {(1 << 30) + 1}).ok());
  EXPECT_FALSE(Compare<std::uint8_t>(DataType::kBool, {1}, {0}).ok());
  EXPECT_FALSE(Compare<std::int64_t>(DataType::kInt64, {1LL << 62}, {(1LL << 62) + 1}).ok());
}

TEST(TensorComparisonTest, AnswersOfEightBitsMayDifferBySteps) {
  using Int8s = std::vector<std::int8_t>;
  using Uint8s = std::vector<std::uint8_t>;
  EXPECT_TRUE(CompareAnswer(DataType::kInt8, Int8s{1, -128}, Int8s{3, -126}, 1e-2).ok());
  EXPECT_FALSE(CompareAnswer(DataType::kInt8, Int8s{1, -128}, Int8s{3, -125}, 1e-2).ok());
  EXPECT_FALSE(CompareAnswer(DataType::kInt8, Int8s{1}, Int8s{2}, 1e-4).ok());
  EXPECT_TRUE(CompareAnswer(DataType::kUint8, Uint8s{0, 255}, Uint8s{1, 254}, 5e-3).ok());
  EXPECT_FALSE(CompareAnswer(DataType::kUint8, Uint8s{0}, Uint8s{255}, 5e-3).ok());
  EXPECT_FALSE(CompareAnswer<std::int64_t>(DataType::kInt64, {1}, {2}, 10).ok()) << "a place";
  EXPECT_FALSE(CompareAnswer<std::int16_t>(DataType::kInt16, {1}, {2}, 1e-2).ok());
  EXPECT_TRUE(CompareAnswer<float>(DataType::kFloat32, {100, 0.5F}, {100, 0}, 0.01).ok());
}

TEST(TensorComparisonTest, FloatsMayDifferByTheirLargestsShare) {
  EXPECT_TRUE(Compare<float>(DataType::kFloat32, {100, 0.5F}, {100, 0}, 0.01).ok());
  EXPECT_FALSE(Compare<float>(DataType::kFloat32, {100, 1.5F}, {100, 0}, 0.01).ok());
  EXPECT_FALSE(Compare<double>(DataType::kFloat64, {1, 0}, {1, 1e-9}, 1e-10).ok());
  EXPECT_TRUE(Compare<float>(DataType::kFloat32, {}, {}).ok());
}

TEST(TensorComparisonTest, WhatIsNotFiniteMustBeTheSame) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(Compare<float>(DataType::kFloat32, {nan, infinity}, {nan, infinity}).ok());
  EXPECT_FALSE(Compare<float>(DataType::kFloat32, {nan, 1}, {1, 1}, 10).ok());
  EXPECT_FALSE(Compare<float>(DataType::kFloat32, {1, 1}, {nan, 1}, 10).ok());
  EXPECT_FALSE(Compare<float>(DataType::kFloat32, {infinity}, {-infinity}, 10).ok());
  EXPECT_FALSE(Compare<float>(DataType::kFloat32, {infinity, 1}, {1, 1}, 10).ok());
}

TEST(TensorComparisonTest, OtherTypesAreNotCompared) {
  EXPECT_EQ(Compare<std::uint16_t>(DataType::kFloat16, {0}, {0}).code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet
