// SPDX-License-Identifier: Apache-2.0
#include "models/operators/gather_nd.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;
using Reals = std::vector<float>;

ConstantTensor Places(Dims dims, const std::vector<std::int64_t>& elements) {
  return ConstantTensor::Copy(DataType::kInt64, std::move(dims), elements);
}
Tensor Int64s(Dims dims, const std::vector<std::int64_t>& elements) {
  return MakeTensor<std::int64_t>(DataType::kInt64, std::move(dims), elements);
}
// 0, 1, ...
Tensor Counting(Dims dims) {
  std::vector<float> elements(static_cast<std::size_t>(NumElements(dims)));
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<float>(i);
  return Floats(std::move(dims), elements);
}

class GatherNdTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(GatherNdTest);

TEST_P(GatherNdTest, EachRowHasItsOwnPlaces) {
  OperatorRun run(MakeGatherNd());
  run.Input(Counting({2, 2, 3})).Input(Int64s({2, 2, 2}, {0, 1, 1, 2, 1, 0, 0, 0}));
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{2, 2}));
  EXPECT_EQ(run.First(Kernels()), (Reals{1, 5, 9, 6}));
}

TEST_P(GatherNdTest, PlacesOfFewerIndicesAreSlices) {
  OperatorRun run(MakeGatherNd());
  run.Input(Counting({1, 3, 2})).Input(Int64s({1, 1, 2, 1}, {2, 0}));
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{1, 1, 2, 2}));
  EXPECT_EQ(run.First(Kernels()), (Reals{4, 5, 0, 1}));
}

TEST_P(GatherNdTest, ConstantPlacesOfOneRowServeEveryRow) {
  OperatorRun run(MakeGatherNd());
  run.Input(Counting({2, 2, 3})).Constant(Places({1, 3, 1}, {1, 0, 1}));
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{2, 3, 3}));
  EXPECT_EQ(run.First(Kernels()),
            (Reals{3, 4, 5, 0, 1, 2, 3, 4, 5, 9, 10, 11, 6, 7, 8, 9, 10, 11}));
}

TEST_P(GatherNdTest, MoreDimensionsMayBeInFrontOfBoth) {
  OperatorRun run(MakeGatherNd());
  run.Input(Counting({2, 2, 3}))
      .Constant(Places({1, 2, 1}, {2, 0}))
      .With("batch_dims", std::int64_t{2});
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{2, 2}));
  EXPECT_EQ(run.First(Kernels()), (Reals{2, 3, 8, 9}));
}

TEST_P(GatherNdTest, ElementsOfAnyType) {
  OperatorRun run(MakeGatherNd());
  run.Input(Int64s({1, 2, 2}, {-1, 1LL << 40, 3, 4}))
      .Input(MakeTensor<std::int32_t>(DataType::kInt32, {1, 1, 2}, {0, 1}));
  EXPECT_EQ(run.First<std::int64_t>(Kernels()), (std::vector<std::int64_t>{1LL << 40}));
  OperatorRun bytes(MakeGatherNd());
  bytes.Input(Bools({1, 3}, {0, 1, 0})).Input(Int64s({1, 2, 1}, {1, 2}));
  EXPECT_EQ(bytes.First<std::uint8_t>(Kernels()), (std::vector<std::uint8_t>{1, 0}));
}

TEST_P(GatherNdTest, NegativeOnesCountFromTheEndAndNoneIsOutside) {
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  OperatorRun run(MakeGatherNd());
  run.Input(Counting({1, 2, 3}))
      .Input(Int64s({1, 5, 2}, {-1, -1, -2, -3, -3, least, most, 3, 0, most}));
  EXPECT_EQ(run.First(Kernels()), (Reals{5, 0, 0, 5, 2}));
}

// What an open dimension turns out to be is not known beforehand.
TEST_P(GatherNdTest, AKnownPlaceBeyondAnOpenDimensionIsItsLast) {
  OperatorRun run(MakeGatherNd());
  run.Input(Counting({1, 2, 3})).Open(0, 1).Constant(Places({1, 1, 1}, {7}));
  EXPECT_EQ(run.First(Kernels()), (Reals{3, 4, 5}));
}

std::string Refusal(Tensor x, const ConstantTensor& places, std::int64_t batch_dims = 1) {
  OperatorRun run(MakeGatherNd());
  run.Input(std::move(x)).Constant(places).With("batch_dims", batch_dims);
  return std::string(run.InferStatus().message());
}

TEST(GatherNdRuleTest, RefusesPlacesOutside) {
  EXPECT_THAT(Refusal(Counting({1, 2, 3}), Places({1, 1, 2}, {1, 3})),
              HasSubstr("index 3 along axis 2, wants -3 to 2"));
  EXPECT_THAT(Refusal(Counting({1, 2, 3}), Places({1, 1, 2}, {-3, 0})),
              HasSubstr("index -3 along axis 1, wants -2 to 1"));
  EXPECT_THAT(Refusal(Floats({1, 0, 3}, {}), Places({1, 1, 1}, {0})),
              HasSubstr("without elements"));
}

TEST(GatherNdRuleTest, RefusesWhatDoesNotFit) {
  EXPECT_THAT(Refusal(Counting({2, 3}), Places({1, 1, 2}, {0, 0})),
              HasSubstr("wants 1 to as many"));
  EXPECT_THAT(Refusal(Counting({2, 3}), Places({1, 1, 0}, {})), HasSubstr("wants 1 to as many"));
  EXPECT_THAT(Refusal(Counting({2, 3}), Places({1, 1}, {0}), 2), HasSubstr("wants 1 to as many"));
  EXPECT_THAT(Refusal(Counting({2, 3}), Places({1, 1}, {0}), 0), HasSubstr("batch_dims"));
  EXPECT_THAT(Refusal(Counting({3, 3}), Places({2, 1}, {0, 0})), HasSubstr("do not begin with"));
  EXPECT_THAT(Refusal(Counting({1, 3, 2}), Places({1, 2, 1}, {0, 0}), 2),
              HasSubstr("do not begin with"));
  OperatorRun reals(MakeGatherNd());
  reals.Input(Counting({1, 3})).Input(Floats({1, 1, 1}, {0}));
  EXPECT_EQ(reals.InferStatus().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
