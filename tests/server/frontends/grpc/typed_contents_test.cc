// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/typed_contents.h"

#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/inference/open_inference_grpc.pb.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Contents = inference::InferTensorContents;

Bytes BytesOf(absl::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

template <typename T>
absl::StatusOr<std::vector<T>> Decode(const std::string& wire, absl::string_view data_type,
                                      std::size_t max_bytes = 1024) {
  TypedContents contents;
  if (absl::Status status = contents.Read(BytesOf(wire)); !status.ok()) return status;
  std::unique_ptr<std::byte[]> buffer;
  const absl::StatusOr<Bytes> raw = contents.ToRaw(data_type, max_bytes, buffer);
  if (!raw.ok()) return raw.status();
  std::vector<T> values(raw->size() / sizeof(T));
  std::memcpy(values.data(), raw->data(), raw->size());
  return values;
}

TEST(TypedContentsTest, EachDatatypeFromItsField) {
  Contents contents;
  for (const int value : {-128, 0, 127}) contents.add_int_contents(value);
  EXPECT_THAT(Decode<std::int8_t>(contents.SerializeAsString(), "INT8").value(),
              ElementsAre(-128, 0, 127));
  EXPECT_THAT(Decode<std::int16_t>(contents.SerializeAsString(), "INT16").value(),
              ElementsAre(-128, 0, 127));
  EXPECT_THAT(Decode<std::int32_t>(contents.SerializeAsString(), "INT32").value(),
              ElementsAre(-128, 0, 127));
  contents.Clear();
  contents.add_fp32_contents(1.5F);
  contents.add_fp32_contents(-2.0F);
  EXPECT_THAT(Decode<float>(contents.SerializeAsString(), "FP32").value(),
              ElementsAre(1.5F, -2.0F));
  contents.Clear();
  contents.add_fp64_contents(0.1);
  EXPECT_THAT(Decode<double>(contents.SerializeAsString(), "FP64").value(), ElementsAre(0.1));
  contents.Clear();
  contents.add_uint64_contents(~std::uint64_t{0});
  EXPECT_THAT(Decode<std::uint64_t>(contents.SerializeAsString(), "UINT64").value(),
              ElementsAre(~std::uint64_t{0}));
  contents.Clear();
  contents.add_int64_contents(-5);
  EXPECT_THAT(Decode<std::int64_t>(contents.SerializeAsString(), "INT64").value(), ElementsAre(-5));
  contents.Clear();
  contents.add_uint_contents(255);
  EXPECT_THAT(Decode<std::uint8_t>(contents.SerializeAsString(), "UINT8").value(),
              ElementsAre(255));
  contents.Clear();
  contents.add_bool_contents(true);
  contents.add_bool_contents(false);
  EXPECT_THAT(Decode<std::uint8_t>(contents.SerializeAsString(), "BOOL").value(),
              ElementsAre(1, 0));
}

TEST(TypedContentsTest, UnpackedAndSplitElementsAreMerged) {
  // Three ways to write int_contents: one alone, a packed run, one alone.
  const std::string mixed = {0x10, 1, 0x12, 2, 2, 3, 0x10, 4};
  EXPECT_THAT(Decode<std::int32_t>(mixed, "INT32").value(), ElementsAre(1, 2, 3, 4));
  Contents contents;
  contents.add_fp32_contents(1);
  const std::string twice = contents.SerializeAsString() + contents.SerializeAsString();
  EXPECT_THAT(Decode<float>(twice, "FP32").value(), ElementsAre(1, 1));
  const std::string alone = {0x35, 0, 0, 0, 0x40};  // fp32_contents as one fixed32: 2
  EXPECT_THAT(Decode<float>(alone + alone, "FP32").value(), ElementsAre(2, 2));
}

TEST(TypedContentsTest, ValueOutOfRangeIsRefused) {
  Contents contents;
  contents.add_int_contents(300);
  const auto status = Decode<std::int8_t>(contents.SerializeAsString(), "INT8").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("holds 300"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("-128 to 127"));
  contents.Clear();
  contents.add_uint_contents(65536);
  EXPECT_FALSE(Decode<std::uint16_t>(contents.SerializeAsString(), "UINT16").ok());
}

TEST(TypedContentsTest, FieldThatDoesNotFitTheDatatype) {
  Contents contents;
  contents.add_fp32_contents(1);
  const auto status = Decode<std::int32_t>(contents.SerializeAsString(), "INT32").status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("fp32_contents, wants int_contents"));
  EXPECT_FALSE(Decode<float>(contents.SerializeAsString(), "FP16").ok());
  EXPECT_FALSE(Decode<float>(contents.SerializeAsString(), "NONSENSE\n").ok());
}

TEST(TypedContentsTest, TwoFieldsAreRefused) {
  Contents contents;
  contents.add_fp32_contents(1);
  contents.add_int_contents(1);
  EXPECT_TRUE(
      absl::IsInvalidArgument(Decode<float>(contents.SerializeAsString(), "FP32").status()));
}

TEST(TypedContentsTest, MoreThanTheLimitIsRefusedBeforeItIsAllocated) {
  Contents contents;
  for (int i = 0; i < 200; ++i) contents.add_int64_contents(1);
  EXPECT_TRUE(absl::IsResourceExhausted(
      Decode<std::int64_t>(contents.SerializeAsString(), "INT64").status()));
}

TEST(TypedContentsTest, MalformedPackedValues) {
  EXPECT_FALSE(Decode<std::int32_t>("\x12\x02\x80\x80", "INT32").ok());  // unfinished varints
  EXPECT_FALSE(Decode<float>("\x32\x03"
                             "abc",
                             "FP32")
                   .ok());  // no whole element
}

}  // namespace
}  // namespace octet
