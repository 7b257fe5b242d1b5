// SPDX-License-Identifier: Apache-2.0
#include "models/operators/integer_conv2d.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class IntegerConv2dTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(IntegerConv2dTest);

Tensor Uint8s(Dims dims, const std::vector<std::uint8_t>& elements) {
  return MakeTensor(DataType::kUint8, std::move(dims), elements);
}
template <typename T>
ConstantTensor Bytes(Dims dims, const std::vector<T>& elements) {
  return ConstantTensor::Copy(std::is_signed_v<T> ? DataType::kInt8 : DataType::kUint8,
                              std::move(dims), elements);
}

// Two images of 5 x 4 pixels and 4 channels, a 3 x 2 filter of 6 channels in two groups, padded by
// one above and to the right, with a stride of 2 downwards.
constexpr int kImages = 2, kHeight = 5, kWidth = 4, kIn = 4, kOut = 6, kGroups = 2;
constexpr int kOutHeight = 2, kOutWidth = 4;

template <typename X>
std::vector<std::int32_t> Expected(const std::vector<X>& x, const std::vector<std::int32_t>& zeros,
                                   const std::vector<std::int8_t>& filter,
                                   const std::vector<std::int32_t>& filter_zeros) {
  std::vector<std::int32_t> sums;
  for (int image = 0; image < kImages; ++image) {
    for (int pixel = 0; pixel < kOutHeight * kOutWidth; ++pixel) {
      for (int o = 0; o < kOut; ++o) {
        std::int32_t sum = 0;
        for (int tap = 0; tap < 3 * 2 * kIn / kGroups; ++tap) {
          const int c = tap % (kIn / kGroups);
          const int y = pixel / kOutWidth * 2 - 1 + tap / (kIn / kGroups) / 2;
          const int z = pixel % kOutWidth + tap / (kIn / kGroups) % 2;
          if (y < 0 || y >= kHeight || z >= kWidth) continue;
          const int channel = o / (kOut / kGroups) * (kIn / kGroups) + c;
          const int at = ((image * kHeight + y) * kWidth + z) * kIn + channel;
          const auto of = [](const auto& values, int index) {
            return static_cast<std::int32_t>(values[static_cast<std::size_t>(index)]);
          };
          sum +=
              (of(x, at) - of(zeros, image)) * (of(filter, tap * kOut + o) - of(filter_zeros, o));
        }
        sums.push_back(sum);
      }
    }
  }
  return sums;
}

OperatorRun Convolution(Tensor x, const std::vector<std::int8_t>& filter) {
  OperatorRun run(MakeIntegerConv2d());
  run.Input(std::move(x)).Constant(Bytes({3, 2, kIn / kGroups, kOut}, filter));
  run.With("groups", std::int64_t{kGroups})
      .With("strides", std::vector<std::int64_t>{2, 1})
      .With("padding", std::string("explicit"))
      .With("pads", std::vector<std::int64_t>{1, 0, 0, 1});
  return run;
}

TEST_P(IntegerConv2dTest, EveryImageBringsItsZeroPoint) {
  const auto x = Uint8Noise(kImages * kHeight * kWidth * kIn, 1);
  const auto filter = Int8Noise(3 * 2 * kIn / kGroups * kOut, 2);
  auto run = Convolution(Uint8s({kImages, kHeight, kWidth, kIn}, x), filter);
  run.Input(Uint8s({kImages, 1, 1, 1}, {200, 9}))
      .Constant(Bytes<std::int8_t>({kOut}, {1, 2, 3, -4, 5, 0}));
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ((*outputs)[0].dims(), (Dims{kImages, kOutHeight, kOutWidth, kOut}));
  EXPECT_EQ(Elements<std::int32_t>((*outputs)[0]),
            Expected(x, {200, 9}, filter, {1, 2, 3, -4, 5, 0}));
}

TEST_P(IntegerConv2dTest, ZeroPointsMayBeKnownOrAbsent) {
  const auto x = Uint8Noise(kImages * kHeight * kWidth * kIn, 3);
  const auto filter = Int8Noise(3 * 2 * kIn / kGroups * kOut, 4);
  auto run = Convolution(Uint8s({kImages, kHeight, kWidth, kIn}, x), filter);
  const auto absent = run.Run(Kernels());
  ASSERT_TRUE(absent.ok()) << absent.status();
  const std::vector<std::int32_t> none(kOut, 0);
  EXPECT_EQ(Elements<std::int32_t>((*absent)[0]), Expected(x, {0, 0}, filter, none));
  run.Constant(Bytes<std::uint8_t>({1}, {131}));
  const auto known = run.Run(Kernels());
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_EQ(Elements<std::int32_t>((*known)[0]), Expected(x, {131, 131}, filter, none));
}

TEST_P(IntegerConv2dTest, GroupsNeedNotBeAlike) {
  // The second group's weights are no bytes once their zero points are subtracted.
  const auto x = Uint8Noise(kImages * kHeight * kWidth * kIn, 7);
  auto filter = Int8Noise(3 * 2 * kIn / kGroups * kOut, 8);
  for (std::size_t i = 0; i < filter.size(); ++i) {
    if (i % kOut < kOut / kGroups) filter[i] = 1;
  }
  auto run = Convolution(Uint8s({kImages, kHeight, kWidth, kIn}, x), filter);
  run.Constant(Bytes<std::uint8_t>({1}, {100}))
      .Constant(Bytes<std::int8_t>({kOut}, {0, 0, 0, 100, 100, 100}));
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::int32_t>((*outputs)[0]),
            Expected(x, {100, 100}, filter, {0, 0, 0, 100, 100, 100}));
}

TEST_P(IntegerConv2dTest, SignedImages) {
  const auto x = Int8Noise(kImages * kHeight * kWidth * kIn, 5);
  const auto filter = Int8Noise(3 * 2 * kIn / kGroups * kOut, 6);
  auto run = Convolution(Int8s({kImages, kHeight, kWidth, kIn}, x), filter);
  run.Input(Int8s({kImages, 1, 1, 1}, {-128, 127}));
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::int32_t>((*outputs)[0]),
            Expected(x, {-128, 127}, filter, std::vector<std::int32_t>(kOut, 0)));
}

TEST(IntegerConv2dRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  const std::vector<std::int8_t> filter(3 * 2 * kIn / kGroups * kOut, 1);
  const std::size_t size = kImages * kHeight * kWidth * kIn;
  const auto images = [&] {
    return Int8s({kImages, kHeight, kWidth, kIn}, std::vector<std::int8_t>(size, 1));
  };
  EXPECT_THAT(message(Convolution(
                  Floats({kImages, kHeight, kWidth, kIn}, std::vector<float>(size, 1)), filter)),
              HasSubstr("FP32"));
  EXPECT_THAT(message(Convolution(images(), filter).With("groups", std::int64_t{3})),
              HasSubstr("in 3 groups"));
  EXPECT_THAT(message(Convolution(images(), filter).Input(Int8s({1, 5, 1, 1}, {1, 1, 1, 1, 1}))),
              HasSubstr("its first dimensions"));
  EXPECT_THAT(message(Convolution(images(), filter).Open(0, 1)), HasSubstr("open size"));
}

}  // namespace
}  // namespace octet
