// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/tensor_json.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "server/frontends/http/json_writer.h"

namespace octet {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kMostBytes = 1 << 20;

template <typename T>
std::vector<T> Read(absl::string_view json, absl::string_view type, const Dims& dims) {
  JsonReader reader(json);
  TensorBytes tensor;
  EXPECT_TRUE(ReadTensorJson(reader, type, dims, kMostBytes, tensor)) << reader.status();
  std::vector<T> values(tensor.size / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.data.get(), tensor.size);
  return values;
}

absl::Status Error(absl::string_view json, absl::string_view type, const Dims& dims,
                   std::size_t max_bytes = kMostBytes) {
  JsonReader reader(json);
  TensorBytes tensor;
  EXPECT_FALSE(ReadTensorJson(reader, type, dims, max_bytes, tensor)) << json;
  return reader.status();
}

template <typename T>
std::string Write(const std::vector<T>& values, DataType type) {
  AnswerOutput output;
  output.data_type = type;
  output.data = std::as_bytes(std::span(values));
  std::string out;
  EXPECT_TRUE(AppendTensorJson(output, kMostBytes, out).ok());
  return out;
}

TEST(TensorJsonTest, FlatAndNestedAreTheSame) {
  const std::vector<int> wanted = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(Read<int>("[1,2,3,4,5,6]", "INT32", {2, 3}), wanted);
  EXPECT_EQ(Read<int>("[[1,2,3],[4,5,6]]", "INT32", {2, 3}), wanted);
  EXPECT_EQ(Read<int>("[ [ [1] , [2],[3]],[[4],[5],[6]] ]", "INT32", {2, 3, 1}), wanted);
  EXPECT_EQ(Read<int>("[7]", "INT32", {}), std::vector<int>{7});
  EXPECT_TRUE(Read<int>("[]", "INT32", {0}).empty());
  EXPECT_TRUE(Read<int>("[[],[]]", "INT32", {2, 0}).empty());
  EXPECT_TRUE(Read<int>("[]", "INT32", {0, 3}).empty());
}

TEST(TensorJsonTest, AnotherNestingOrNumberIsRefused) {
  for (const char* json :
       {"[1,2,3,4,5]", "[1,2,3,4,5,6,7]", "[[1,2],[3,4],[5,6]]", "[[1,2,3]]", "[[1,2,3],[4,5]]",
        "[[1,2,3],[4,5,6],[7,8,9]]", "[[1,2,3],4,5,6]", "[1,2,3,[4,5,6]]", "[[[1,2,3],[4,5,6]]]",
        "[]", "5", "{}", "\"x\"", "[1,2,3,4,5,6", "[[1,2,3],[4,5,6]"}) {
    EXPECT_EQ(Error(json, "INT32", {2, 3}).code(), absl::StatusCode::kInvalidArgument) << json;
  }
}

TEST(TensorJsonTest, WholeNumbersAreExactAndWithinTheirRange) {
  EXPECT_EQ(Read<std::int64_t>("[9223372036854775807,-9223372036854775808]", "INT64", {2}),
            (std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::max(),
                                       std::numeric_limits<std::int64_t>::min()}));
  EXPECT_EQ(Read<std::uint64_t>("[18446744073709551615]", "UINT64", {1}),
            std::vector<std::uint64_t>{std::numeric_limits<std::uint64_t>::max()});
  EXPECT_EQ(Read<std::int8_t>("[-128,127]", "INT8", {2}), (std::vector<std::int8_t>{-128, 127}));
  for (const auto& [json, type] :
       std::vector<std::pair<const char*, const char*>>{{"[128]", "INT8"},
                                                        {"[-1]", "UINT8"},
                                                        {"[300]", "UINT8"},
                                                        {"[65536]", "UINT16"},
                                                        {"[2147483648]", "INT32"},
                                                        {"[9223372036854775808]", "INT64"},
                                                        {"[18446744073709551616]", "UINT64"},
                                                        {"[1.0]", "INT32"},
                                                        {"[1e2]", "INT32"},
                                                        {"[true]", "INT32"},
                                                        {"[\"1\"]", "INT32"},
                                                        {"[null]", "INT32"},
                                                        {"[1]", "BOOL"}}) {
    EXPECT_EQ(Error(json, type, {1}).code(), absl::StatusCode::kInvalidArgument) << json;
  }
}

TEST(TensorJsonTest, FloatsAreRoundedOnce) {
  // Halfway between two floats but for its last digits: by way of a double it would be rounded to
  // even, downwards.
  EXPECT_EQ(Read<float>("[1.00000005960464477540]", "FP32", {1}),
            std::vector<float>{std::nextafter(1.0F, 2.0F)});
  EXPECT_EQ(Read<double>("[0.1,-2.5e-3,1e308]", "FP64", {3}),
            (std::vector<double>{0.1, -2.5e-3, 1e308}));
  EXPECT_EQ(Read<float>("[1e-60,-1e-400,0.0e999999999999]", "FP32", {3}),
            (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(Read<float>("[1e-45]", "FP32", {1}),
            std::vector<float>{std::numeric_limits<float>::denorm_min()});
  EXPECT_THAT(std::string(Error("[1e39]", "FP32", {1}).message()), HasSubstr("range of FP32"));
  EXPECT_THAT(std::string(Error("[-1e400]", "FP64", {1}).message()), HasSubstr("range of FP64"));
  EXPECT_EQ(Error("[NaN]", "FP32", {1}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(TensorJsonTest, WhatJsonHasNoNumberForIsText) {
  const std::vector<float> values = Read<float>(R"(["NaN","Infinity","-Infinity"])", "FP32", {3});
  EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_EQ(values[1], std::numeric_limits<float>::infinity());
  EXPECT_EQ(values[2], -std::numeric_limits<float>::infinity());
  EXPECT_EQ(Write(values, DataType::kFloat32), R"(["NaN","Infinity","-Infinity"])");
  EXPECT_EQ(Error(R"(["nan"])", "FP32", {1}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(TensorJsonTest, TextsAreBytesWithTheirLength) {
  EXPECT_EQ(Read<char>(R"(["ab","","\u00e9"])", "BYTES", {3}),
            (std::vector<char>{2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0, 2, 0, 0, 0, '\xC3', '\xA9'}));
  AnswerOutput output;
  output.holds_text = true;
  const std::string raw("\x02\0\0\0ab\x01\0\0\0\"", 11);
  output.data = std::as_bytes(std::span(raw));
  std::string out;
  EXPECT_TRUE(AppendTensorJson(output, kMostBytes, out).ok());
  EXPECT_EQ(out, R"(["ab","\""])");
}

TEST(TensorJsonTest, HalfFloatsAndUnknownTypesHaveNoJson) {
  EXPECT_THAT(std::string(Error("[1]", "FP16", {1}).message()), HasSubstr("binary"));
  EXPECT_THAT(std::string(Error("[1]", "BF16", {1}).message()), HasSubstr("binary"));
  EXPECT_THAT(std::string(Error("[1]", "INT4", {1}).message()), HasSubstr("datatype is \"INT4\""));
  EXPECT_THAT(std::string(Error("[1]", "FLOAT", {1}).message()), HasSubstr("wants BOOL"));
  AnswerOutput output;
  output.data_type = DataType::kFloat16;
  std::string out;
  EXPECT_EQ(AppendTensorJson(output, kMostBytes, out).code(), absl::StatusCode::kInvalidArgument);
}

TEST(TensorJsonTest, NothingIsAllocatedForElementsThatAreNotThere) {
  for (const Dims& dims : {Dims{std::int64_t{1} << 47}, Dims{1 << 20, 1 << 20}, Dims{-1},
                           Dims{std::int64_t{1} << 40, std::int64_t{1} << 40}}) {
    EXPECT_EQ(Error("[1,2,3]", "INT32", dims).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Error("[1,2,3]", "INT32", {3}, 11).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Error(R"(["abcdef"])", "BYTES", {1}, 9).code(), absl::StatusCode::kOutOfRange);
}

TEST(TensorJsonTest, NumbersAreWrittenAsTheShortestThatReadsTheSame) {
  EXPECT_EQ(Write(std::vector<float>{0.1F, -0.0F, 1e30F, 16777216.0F}, DataType::kFloat32),
            "[0.1,-0,1e+30,16777216]");
  EXPECT_EQ(Write(std::vector<double>{0.1, 1.0 / 3}, DataType::kFloat64),
            "[0.1,0.3333333333333333]");
  EXPECT_EQ(Write(std::vector<std::uint64_t>{18446744073709551615U}, DataType::kUint64),
            "[18446744073709551615]");
  EXPECT_EQ(Write(std::vector<std::uint8_t>{0, 255}, DataType::kUint8), "[0,255]");
  const bool flags[] = {true, false};
  AnswerOutput output;
  output.data_type = DataType::kBool;
  output.data = std::as_bytes(std::span(flags));
  std::string out;
  EXPECT_TRUE(AppendTensorJson(output, kMostBytes, out).ok());
  EXPECT_EQ(out, "[true,false]");
  out.clear();
  EXPECT_EQ(AppendTensorJson(output, 4, out).code(), absl::StatusCode::kResourceExhausted);
}

TEST(JsonWriterTest, TextIsEscapedAndMadeUtf8) {
  std::string out;
  AppendJsonString("a\"\\\n\x7F\xC3\xA9\xFFz\xE2\x82", out);
  EXPECT_EQ(out, "\"a\\\"\\\\\\u000a\\u007f\xC3\xA9\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace octet
