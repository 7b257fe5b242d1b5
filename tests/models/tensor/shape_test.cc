// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/shape.h"

#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
const Dim kLength(Symbol{1});

std::int64_t At(const Dim& dim, std::int64_t length) {
  const std::vector<std::int64_t> symbols = {1, length};
  return dim.Evaluate(symbols);
}

TEST(DimTest, ConstantsCompute) {
  EXPECT_EQ(Dim(7).Plus(-2).value(), Dim(5));
  EXPECT_EQ(Dim(7).Times(3).value(), Dim(21));
  EXPECT_EQ(Dim(7).FloorDividedBy(2).value(), Dim(3));
  EXPECT_EQ(Dim::Sum(2, 3).value(), Dim(5));
  EXPECT_EQ(Dim::Product(2, 3).value(), Dim(6));
}

TEST(DimTest, AConvolutionsLengthIsClosed) {
  // floor((length + 2 - 3) / 2) + 1, then the same again.
  const auto once = [](const Dim& dim) {
    return dim.Plus(-1).value().FloorDividedBy(2).value().Plus(1).value();
  };
  const Dim twice = once(once(kLength));
  for (std::int64_t length = 1; length < 40; ++length) {
    const std::int64_t first = (length - 1) / 2 + 1;
    EXPECT_EQ(At(twice, length), (first - 1) / 2 + 1) << "length " << length;
  }
}

TEST(DimTest, DividesTowardsMinusInfinity) {
  const Dim dim = kLength.Plus(-5).value().FloorDividedBy(2).value();
  EXPECT_EQ(At(dim, 2), -2);  // floor(-3 / 2)
  EXPECT_EQ(At(dim, 3), -1);
  EXPECT_EQ(At(dim, 4), -1);
  EXPECT_EQ(At(dim, 6), 0);
}

TEST(DimTest, EqualFunctionsAreEqual) {
  EXPECT_EQ(kLength.Times(6).value().FloorDividedBy(2).value(), kLength.Times(3).value());
  EXPECT_EQ(kLength.Times(0).value(), Dim(0));
  EXPECT_EQ(Dim::Sum(kLength, kLength).value(), kLength.Times(2).value());
  EXPECT_NE(Dim(kRows), kLength);
  EXPECT_NE(Dim(1), Dim(kRows));
}

TEST(DimTest, WhatHasNoFormIsRefused) {
  EXPECT_EQ(Dim::Product(kLength, Dim(kRows)).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Dim::Sum(kLength, Dim(kRows)).status().code(), absl::StatusCode::kUnimplemented);
  const Dim half = kLength.FloorDividedBy(2).value();
  EXPECT_EQ(half.Times(2).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(kLength.FloorDividedBy(0).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DimTest, OverflowIsRefused) {
  EXPECT_EQ(Dim(kLargest).Plus(1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Dim(kLargest).Times(2).status().code(), absl::StatusCode::kInvalidArgument);
  const Dim large = kLength.Times(kLargest).value();
  EXPECT_EQ(large.Times(2).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Dim::Sum(large, large).status().code(), absl::StatusCode::kInvalidArgument);
  const Dim divided = kLength.FloorDividedBy(kLargest).value();
  EXPECT_EQ(divided.FloorDividedBy(2).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(divided.Plus(2).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ShapeTest, Prints) {
  const std::vector<std::string> names = {"rows", "length"};
  const Dim half = kLength.Times(2).value().Plus(-1).value().FloorDividedBy(4).value();
  EXPECT_EQ(ToString(Shape{Dim(kRows), 8, half, Dim(Symbol{2})}, names),
            "[rows, 8, (2*length-1)/4, s2]");
  EXPECT_EQ(ToString(Shape{}, names), "[]");
  EXPECT_EQ(ToString(Dims{2, 3}), "[2, 3]");
}

TEST(ShapeTest, ShapesOfConstantsAreDims) {
  EXPECT_EQ(ToDims(ToShape(Dims{2, 0, 3})), (Dims{2, 0, 3}));
  EXPECT_EQ(NumElements(Dims{2, 3}), 6);
  EXPECT_EQ(NumElements(Dims{}), 1);
}

TEST(ShapeTest, CountsElementsWithCare) {
  EXPECT_EQ(CheckedNumElements(Dims{}).value(), 1);
  EXPECT_EQ(CheckedNumElements(Dims{4, 0, 3}).value(), 0);
  EXPECT_EQ(CheckedNumElements(Dims{1 << 24, 1 << 24}).value(), std::int64_t{1} << 48);
  EXPECT_FALSE(CheckedNumElements(Dims{1 << 24, (1 << 24) + 1}).ok());
  EXPECT_FALSE(CheckedNumElements(Dims{kLargest, kLargest}).ok());
  EXPECT_FALSE(CheckedNumElements(Dims{0, kLargest}).ok()) << "a zero hides nothing";
  EXPECT_FALSE(CheckedNumElements(Dims{2, -1}).ok());
}

}  // namespace
}  // namespace octet
