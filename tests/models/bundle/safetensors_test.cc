// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>
#include <string>
#include <vector>

namespace octet {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string File(const std::string& header, const std::string& data) {
  std::string file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<char>(header.size() >> (8 * i) & 0xff));
  return file + header + data;
}

TEST(SafetensorsTest, WhatIsWrittenIsReadAndAligned) {
  const std::vector<float> floats = {1.0F, 2.0F, 3.0F};
  const std::vector<std::int8_t> bytes = {1, -1};
  const auto file = WriteSafetensors(
      {{"floats", {DataType::kFloat32, {3}, std::as_bytes(std::span(floats))}},
       {"b \"quoted\" \xc3\xa9", {DataType::kInt8, {1, 2}, std::as_bytes(std::span(bytes))}},
       {"none", {DataType::kFloat32, {0, 7}, {}}},
       {"scalar", {DataType::kFloat32, {}, std::as_bytes(std::span(floats)).first(4)}}});
  ASSERT_TRUE(file.ok()) << file.status();
  const auto tensors = ReadSafetensors(BytesOf(*file));
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 4U);
  EXPECT_EQ(tensors->at("b \"quoted\" \xc3\xa9").dims, Dims({1, 2}));
  EXPECT_EQ(tensors->at("floats").bytes.size(), 12U);
  EXPECT_EQ(tensors->at("scalar").data_type, DataType::kFloat32);
  for (const auto& [name, entry] : *tensors) {
    if (entry.bytes.empty()) continue;
    EXPECT_EQ((entry.bytes.data() - BytesOf(*file).data()) % 64, 0) << name;
  }
}

TEST(SafetensorsTest, MetadataIsAccepted) {
  const std::string file = File(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
      "x");
  const auto tensors = ReadSafetensors(BytesOf(file));
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_EQ(tensors->size(), 1U);
}

struct BadCase {
  std::string header;
  std::string data;
  std::string message;
};

class SafetensorsDamageTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(SafetensorsDamageTest, IsRefusedByName) {
  const std::string file = File(GetParam().header, GetParam().data);
  const absl::Status status = ReadSafetensors(BytesOf(file)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SafetensorsDamageTest,
    ::testing::Values(
        BadCase{"", "", "does not begin with {"}, BadCase{" {}", "", "does not begin with {"},
        BadCase{"{", "", "not JSON"}, BadCase{"{}", "x", "cover 0 of 1"},
        BadCase{R"({"a":1})", "", "a number"}, BadCase{R"({"a":[]})", "", "a list"},
        BadCase{R"({"a":{"b":{}}})", "", "the key \"b\""},
        BadCase{R"({"a":{"dtype":{}}})", "", "an object"},
        BadCase{R"({"a":{}})", "", "needs dtype"},
        BadCase{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", "x", "needs dtype"},
        BadCase{R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "x", "negative"},
        BadCase{R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}})", "x", "fraction"},
        BadCase{R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}})", "x", "takes 2"},
        BadCase{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,2]}})", "x", "data_offsets"},
        BadCase{R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[1,0]}})", "x", "data_offsets"},
        BadCase{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xy", "hole"},
        BadCase{R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                "xyz", "overlap"},
        BadCase{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                "xy", "second time"},
        BadCase{R"({"a":{"dtype":"U8","dtype":"U8"}})", "", "there twice"},
        BadCase{R"({"a":{"dtype":"F64","shape":[4294967296,4294967296,4294967296],)"
                R"("data_offsets":[0,1]}})",
                "x", "\"a\""},
        BadCase{R"({"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}})", "x",
                "fraction"}));

TEST(SafetensorsTest, AHeaderBeyondTheFileIsDamage) {
  std::string file = File("{}", "");
  file[0] = 3;
  EXPECT_EQ(ReadSafetensors(BytesOf(file)).status().code(), absl::StatusCode::kDataLoss);
  file[7] = '\x7f';
  EXPECT_EQ(ReadSafetensors(BytesOf(file)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadSafetensors({}).status().code(), absl::StatusCode::kDataLoss);
}

TEST(SafetensorsTest, AnUnknownTypeIsUnimplemented) {
  const std::string file =
      File(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", "x");
  EXPECT_EQ(ReadSafetensors(BytesOf(file)).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(SafetensorsTest, TheWriterRefusesWhatTheFormatLacks) {
  const std::vector<std::int8_t> byte = {1};
  const SafetensorsEntry good = {DataType::kInt8, {1}, std::as_bytes(std::span(byte))};
  EXPECT_FALSE(WriteSafetensors({{"", good}}).ok());
  EXPECT_FALSE(WriteSafetensors({{"__metadata__", good}}).ok());
  EXPECT_FALSE(WriteSafetensors({{"a", good}, {"a", good}}).ok());
  EXPECT_FALSE(WriteSafetensors({{"a", {DataType::kInt8, {2}, good.bytes}}}).ok());
  EXPECT_FALSE(WriteSafetensors({{"a", {DataType::kInt4, {2}, good.bytes}}}).ok());
}

}  // namespace
}  // namespace octet
