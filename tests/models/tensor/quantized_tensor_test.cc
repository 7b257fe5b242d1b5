// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/quantized_tensor.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int> BytesOf(const ConstantTensor& tensor) {
  std::vector<int> bytes;
  for (const std::byte byte : tensor.bytes()) bytes.push_back(static_cast<int>(byte));
  return bytes;
}

TEST(NibblesTest, TheFirstElementIsInTheLowNibble) {
  const auto packed = PackNibbles(DataType::kInt4, {4}, {1, -1, 7, -8}, -1);
  EXPECT_THAT(BytesOf(packed), ElementsAre(0xF1, 0x87));
  EXPECT_EQ(packed.dims(), (Dims{4}));
  EXPECT_EQ(packed.data_type(), DataType::kInt4);
}

TEST(NibblesTest, PacksAlongEitherAxis) {
  // 1 2 3
  // 4 5 6
  const std::vector<std::int8_t> elements = {1, 2, 3, 4, 5, 6};
  EXPECT_THAT(BytesOf(PackNibbles(DataType::kInt4, {2, 3}, elements, 1)),
              ElementsAre(0x21, 0x03, 0x54, 0x06));
  EXPECT_THAT(BytesOf(PackNibbles(DataType::kInt4, {2, 3}, elements, 0)),
              ElementsAre(0x41, 0x52, 0x63));
}

TEST(NibblesTest, RoundTripsOnEveryAxisAndLength) {
  for (const DataType type : {DataType::kInt4, DataType::kUint4}) {
    for (const Dims& dims : {Dims{1}, Dims{5}, Dims{3, 5}, Dims{2, 3, 5}, Dims{4, 1, 6}}) {
      std::vector<std::int8_t> elements(static_cast<std::size_t>(NumElements(dims)));
      for (std::size_t i = 0; i < elements.size(); ++i) {
        elements[i] = static_cast<std::int8_t>(static_cast<int>((i * 7) % 16) -
                                               (type == DataType::kInt4 ? 8 : 0));
      }
      for (int axis = -1; axis < static_cast<int>(dims.size()); ++axis) {
        const ConstantTensor packed = PackNibbles(type, dims, elements, axis);
        EXPECT_EQ(packed.bytes().size(), ByteSize(type, dims, axis));
        EXPECT_EQ(UnpackNibbles(packed), elements) << ToString(dims) << " axis " << axis;
      }
    }
  }
}

QuantizedTensor Example(bool has_zero_point) {
  QuantizedTensor tensor;
  tensor.data = ConstantTensor::Copy(DataType::kInt8, {2}, std::vector<std::int8_t>{1, 2});
  tensor.scale = ConstantTensor::Copy(DataType::kFloat32, {1}, std::vector<float>{0.5F});
  if (has_zero_point) {
    tensor.zero_point = ConstantTensor::Copy(DataType::kInt8, {1}, std::vector<std::int8_t>{3});
  }
  return tensor;
}

TEST(QuantizedTensorTest, FlattensToNamedTensorsAndBack) {
  for (const bool has_zero_point : {false, true}) {
    const QuantizedTensor tensor = Example(has_zero_point);
    const auto flat = tensor.Flatten("dense/kernel");
    ASSERT_EQ(flat.size(), has_zero_point ? 3U : 2U);
    EXPECT_EQ(flat[0].first, "dense/kernel");
    EXPECT_EQ(flat[1].first, "dense/kernel_scale");
    const auto back = QuantizedTensor::Unflatten("dense/kernel", flat);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->data.bytes().data(), tensor.data.bytes().data());
    EXPECT_EQ(back->scale.bytes().data(), tensor.scale.bytes().data());
    ASSERT_EQ(back->zero_point.has_value(), has_zero_point);
    if (has_zero_point) {
      EXPECT_EQ(flat[2].first, "dense/kernel_zero_point");
      EXPECT_EQ(back->zero_point->bytes().data(), tensor.zero_point->bytes().data());
    }
  }
}

TEST(QuantizedTensorTest, NamesTheTensorThatIsMissing) {
  auto flat = Example(false).Flatten("kernel");
  flat.pop_back();
  const auto back = QuantizedTensor::Unflatten("kernel", flat);
  EXPECT_EQ(back.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(back.status().message()), HasSubstr("\"kernel_scale\" is missing"));
}

}  // namespace
}  // namespace octet
