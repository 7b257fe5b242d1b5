// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/tensor.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

bool IsAligned(const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 64 == 0; }

TEST(TensorTest, SizesInBytes) {
  EXPECT_EQ(ByteSize(DataType::kFloat32, Dims{2, 3}), 24U);
  EXPECT_EQ(ByteSize(DataType::kBool, Dims{5}), 5U);
  EXPECT_EQ(ByteSize(DataType::kInt64, Dims{}), 8U);
  EXPECT_EQ(ByteSize(DataType::kFloat32, Dims{2, 0}), 0U);
}

TEST(TensorTest, RunsOfNibblesArePaddedToWholeBytes) {
  EXPECT_EQ(ByteSize(DataType::kInt4, Dims{3, 5}), 9U);      // 3 runs of 5
  EXPECT_EQ(ByteSize(DataType::kInt4, Dims{3, 5}, 0), 10U);  // 5 runs of 3
  EXPECT_EQ(ByteSize(DataType::kUint4, Dims{2, 4}), 4U);
  EXPECT_EQ(ByteSize(DataType::kInt4, Dims{3, 0}), 0U);
  EXPECT_EQ(ByteSize(DataType::kInt4, Dims{}), 1U);
}

TEST(TensorTest, OwnedBuffersAreAlignedAndZero) {
  Tensor tensor(DataType::kFloat32, {3, 7});
  EXPECT_TRUE(IsAligned(tensor.view().data));
  EXPECT_EQ(tensor.bytes().size(), 84U);
  EXPECT_THAT(tensor.bytes(), Each(std::byte{0}));
  tensor.as<float>()[20] = 1.5F;
  EXPECT_EQ(tensor.view().as<float>()[20], 1.5F);
  EXPECT_EQ(tensor.view().dims.size(), 2U);
}

TEST(TensorTest, ABufferForOverwriteIsAlignedAndAsLarge) {
  Tensor tensor = Tensor::ForOverwrite(DataType::kFloat32, {3, 7});
  EXPECT_TRUE(IsAligned(tensor.view().data));
  EXPECT_EQ(tensor.bytes().size(), 84U);
  EXPECT_EQ(tensor.data_type(), DataType::kFloat32);
  EXPECT_THAT(tensor.dims(), ElementsAre(3, 7));
  tensor.as<float>()[20] = 1.5F;
  EXPECT_EQ(tensor.view().as<float>()[20], 1.5F);
}

TEST(TensorTest, AnEmptyTensorHasAPointer) {
  const Tensor tensor(DataType::kInt8, {0, 4});
  EXPECT_TRUE(tensor.bytes().empty());
  EXPECT_NE(tensor.view().data, nullptr);
}

TEST(ConstantTensorTest, CopiesShareBytesThatOutliveTheOriginal) {
  ConstantTensor copy;
  {
    const std::vector<std::int32_t> elements = {1, 2, 3};
    const ConstantTensor original = ConstantTensor::Copy(DataType::kInt32, {3}, elements);
    EXPECT_TRUE(IsAligned(original.bytes().data()));
    copy = original;
    EXPECT_EQ(copy.bytes().data(), original.bytes().data());
  }
  EXPECT_THAT(copy.as<std::int32_t>(), ElementsAre(1, 2, 3));
}

TEST(ConstantTensorTest, BorrowedBytesLiveAsLongAsTheTensor) {
  auto owner = std::make_shared<std::vector<std::int8_t>>(std::vector<std::int8_t>{4, 5});
  const std::weak_ptr<const void> watched = owner;
  {
    const auto bytes = std::as_bytes(std::span(*owner));
    const ConstantTensor tensor(DataType::kInt8, {2}, bytes, std::move(owner));
    EXPECT_FALSE(watched.expired());
    EXPECT_EQ(tensor.bytes().data(), bytes.data());
  }
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace octet
