// SPDX-License-Identifier: Apache-2.0
#include "models/importers/tflite/stored_constant.h"

#include <cmath>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace octet::tflite {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A tensor that owns what it shows.
struct OwnedTensor {
  OwnedTensor(DataType type, Dims dims, std::vector<std::uint8_t> data, std::vector<float> scale,
              std::vector<std::int64_t> zero_point, std::int32_t axis = 0)
      : data_(std::move(data)), scale_(std::move(scale)), zero_point_(std::move(zero_point)) {
    tensor.name = "t";
    tensor.data_type = type;
    tensor.dims = std::move(dims);
    tensor.data = std::as_bytes(std::span(data_));
    tensor.quantization.scale = scale_;
    tensor.quantization.zero_points = std::as_bytes(std::span(zero_point_));
    tensor.quantization.axis = axis;
  }

  StoredTensor tensor;

 private:
  std::vector<std::uint8_t> data_;
  std::vector<float> scale_;
  std::vector<std::int64_t> zero_point_;
};

std::vector<float> RealValues(const OwnedTensor& owned) {
  const auto real = RealConstant(owned.tensor);
  EXPECT_TRUE(real.ok()) << real.status();
  return {real->as<float>().begin(), real->as<float>().end()};
}

TEST(StoredConstantTest, OneScaleIsForAllElements) {
  EXPECT_THAT(RealValues({DataType::kInt8, {3}, {0xff, 0, 2}, {0.5F}, {1}}),
              ElementsAre(-1.0F, -0.5F, 0.5F));
  EXPECT_THAT(RealValues({DataType::kUint8, {3}, {0xff, 0, 128}, {0.5F}, {128}}),
              ElementsAre(63.5F, -64.0F, 0.0F));
}

TEST(StoredConstantTest, ScalesOfChannelsFollowTheirDimension) {
  EXPECT_THAT(RealValues({DataType::kInt8, {2, 3}, {1, 2, 3, 4, 5, 6}, {1.0F, 10.0F}, {0, 0}, 0}),
              ElementsAre(1.0F, 2.0F, 3.0F, 40.0F, 50.0F, 60.0F));
  EXPECT_THAT(RealValues({DataType::kInt8, {2, 2}, {1, 2, 3, 4}, {1.0F, 10.0F}, {0, 1}, 1}),
              ElementsAre(1.0F, 10.0F, 3.0F, 30.0F));
}

TEST(StoredConstantTest, ScalesThatFitNoDimensionAreRefused) {
  for (const std::int32_t axis : {-1, 0, 2}) {
    const OwnedTensor owned(DataType::kInt8, {3, 2}, {1, 2, 3, 4, 5, 6}, {1.0F, 2.0F}, {0, 0},
                            axis);
    EXPECT_EQ(RealConstant(owned.tensor).status().code(), absl::StatusCode::kInvalidArgument)
        << axis;
  }
}

TEST(StoredConstantTest, AnActivationOfUint8IsOneOfInt8) {
  const OwnedTensor owned(DataType::kUint8, {1}, {}, {0.25F}, {131});
  const auto quantization = ActivationQuantization(owned.tensor);
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  EXPECT_EQ(quantization->scale.value, 0.25F);
  EXPECT_EQ(quantization->zero_point.value, 3);
}

TEST(StoredConstantTest, ScalesAndZeroPointsThatNoActivationHasAreRefused) {
  for (const float scale : {0.0F, -1.0F, NAN, INFINITY}) {
    const OwnedTensor owned(DataType::kInt8, {1}, {}, {scale}, {0});
    EXPECT_EQ(ActivationQuantization(owned.tensor).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  const OwnedTensor far(DataType::kInt8, {1}, {}, {1.0F}, {128});
  EXPECT_THAT(std::string(ActivationQuantization(far.tensor).status().message()),
              HasSubstr("zero point 128, wants a finite scale above 0 and -128 to 127"));
  const OwnedTensor several(DataType::kInt8, {2}, {}, {1.0F, 2.0F}, {0, 0});
  EXPECT_THAT(std::string(ActivationQuantization(several.tensor).status().message()),
              HasSubstr("got 2 scales for an activation, wants one"));
}

TEST(StoredConstantTest, AWeightHasOneScaleOrOneForEachChannel) {
  const OwnedTensor per_channel(DataType::kInt8, {2, 3}, {}, {1.0F, 2.0F}, {0, 0}, 0);
  EXPECT_TRUE(CheckWeightQuantization(per_channel.tensor, 0).ok());
  const absl::Status status = CheckWeightQuantization(per_channel.tensor, 1);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("got 2 scales along dimension 0, wants one, or 3 along dimension 1"));
}

TEST(StoredConstantTest, TypesThatWeDoNotHaveAreUnimplemented) {
  OwnedTensor owned(DataType::kInt8, {2}, {1, 2}, {}, {});
  owned.tensor.data_type = std::nullopt;
  owned.tensor.type_number = 11;
  EXPECT_EQ(StoredConstant(owned.tensor).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Describe(owned.tensor), "\"t\" type 11 [2]");
  OwnedTensor sparse(DataType::kInt8, {2}, {1, 2}, {}, {});
  sparse.tensor.is_sparse = true;
  EXPECT_EQ(StoredConstant(sparse.tensor).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet::tflite
