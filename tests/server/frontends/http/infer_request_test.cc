// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/infer_request.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kMostBytes = 1 << 20;

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

absl::StatusOr<InferBody> Read(const std::string& json, const std::string& binary = "") {
  static std::string body;  // what was read refers to it
  body = json + binary;
  return ReadInferBody(Bytes(body), json.size(), kMostBytes);
}

std::string ErrorOf(const std::string& json, const std::string& binary = "") {
  const absl::StatusOr<InferBody> read = Read(json, binary);
  EXPECT_FALSE(read.ok()) << json;
  return std::string(read.status().message());
}

TEST(InferRequestTest, ReadsWhatTheProtocolHas) {
  const auto read = Read(R"({"id": "7", "later": [{"x": 1}],
    "parameters": {"timeout": 5, "octet_timing": true, "mine": "x"},
    "inputs": [{"name": "a", "shape": [1, 2], "datatype": "INT32", "data": [[1, 2]]}],
    "outputs": [{"name": "y"}, {"name": "z", "parameters": {"classification": 3,
      "binary_data": true}}]})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->form.id, "7");
  EXPECT_TRUE(read->form.wants_timing);
  EXPECT_EQ(read->options.timeout_microseconds, 5);
  ASSERT_EQ(read->inputs.size(), 1U);
  EXPECT_EQ(read->inputs[0].name, "a");
  EXPECT_EQ(read->inputs[0].dims, (Dims{1, 2}));
  EXPECT_EQ(read->inputs[0].data.size(), 8U);
  ASSERT_EQ(read->outputs.size(), 2U);
  EXPECT_EQ(read->outputs[1].num_classes, 3);
  EXPECT_EQ(read->form.binary_outputs, (std::vector<bool>{false, true}));
}

TEST(InferRequestTest, BinaryTensorsStayWhereTheyLie) {
  const std::string json = R"({"inputs": [
    {"name": "a", "shape": [1], "datatype": "INT32", "parameters": {"binary_data_size": 4}},
    {"name": "b", "shape": [1], "datatype": "INT8", "data": [5]},
    {"name": "c", "shape": [2], "datatype": "FP16", "parameters": {"binary_data_size": 4}},
    {"name": "d", "shape": [0], "datatype": "FP32", "parameters": {"binary_data_size": 0}}],
    "parameters": {"binary_data_output": true}, "outputs": [{"name": "x"},
    {"name": "y", "parameters": {"binary_data": false}}]})";
  const std::string body = json + "abcdefgh";
  const auto read = ReadInferBody(Bytes(body), json.size(), kMostBytes);
  ASSERT_TRUE(read.ok()) << read.status();
  const auto* const binary = reinterpret_cast<const std::byte*>(body.data()) + json.size();
  EXPECT_EQ(read->inputs[0].data.data(), binary);
  EXPECT_EQ(read->inputs[2].data.data(), binary + 4);
  EXPECT_EQ(read->inputs[3].data.size(), 0U);
  EXPECT_EQ(read->form.binary_outputs, (std::vector<bool>{true, false}));
}

TEST(InferRequestTest, MembersComeInAnyOrder) {
  const auto read =
      Read(R"({"inputs": [{"data": [1, 2], "datatype": "FP32", "shape": [2], "name": "a"}]})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->inputs[0].data.size(), 8U);
  EXPECT_THAT(ErrorOf(R"({"inputs": [{"data": ["x"], "datatype": "FP32", "shape": [1],
                          "name": "a"}]})"),
              HasSubstr("input \"a\": got \"x\""));
}

TEST(InferRequestTest, RefusesWhatIsNoRequest) {
  for (const char* json :
       {"",
        "[]",
        "{",
        "{}",
        "null",
        "5",
        R"({"inputs": {}})",
        R"({"inputs": [1]})",
        R"({"inputs": [], "inputs": []})",
        R"({"inputs": [], "id": 7})",
        R"({"inputs": []} {})",
        R"({"inputs": [{}]})",
        R"({"inputs": [], "outputs": [{}]})",
        R"({"inputs": [{"name": "a", "shape": [1], "datatype": "INT32"}]})",
        R"({"inputs": [{"name": "a", "shape": [1.5], "datatype": "INT32", "data": [1]}]})",
        R"({"inputs": [{"name": "a", "shape": ["1"], "datatype": "INT32", "data": [1]}]})",
        R"({"inputs": [{"name": "a", "shape": [-1], "datatype": "INT32", "data": [1]}]})",
        R"({"inputs": [{"name": "a", "shape": [18446744073709551616], "datatype": "INT32",
            "data": [1]}]})",
        R"({"inputs": [{"name": "a", "shape": [1], "datatype": "INT32", "data": [1],
            "parameters": {"binary_data_size": 4}}]})",
        R"({"inputs": [], "parameters": {"timeout": -1}})",
        R"({"inputs": [], "parameters": {"timeout": 1.5}})",
        R"({"inputs": [], "parameters": {"priority": "high"}})",
        R"({"inputs": [], "parameters": {"octet_unknown": 1}})",
        R"({"inputs": [], "parameters": {"x": [1]}})",
        R"({"inputs": [], "parameters": {"x": null}})",
        R"({"inputs": [], "outputs": [{"name": "y", "parameters": {"classification": 0}}]})",
        R"({"inputs": [], "outputs": [{"name": "y", "parameters": {"binary_data": 1}}]})"}) {
    EXPECT_EQ(Read(json).status().code(), absl::StatusCode::kInvalidArgument) << json;
  }
  EXPECT_TRUE(
      absl::IsUnimplemented(Read(R"({"inputs": [{"name": "a", "shape": [1], "datatype": "INT32",
               "parameters": {"shared_memory_region": "r"}}]})")
                                .status()));
}

TEST(InferRequestTest, TheTwoBodiesThatKillServersThatRecurse) {
  const std::string deep(250'000, '[');
  const std::string input = R"({"inputs": [{"name": "a", "shape": [1, 1], )";
  EXPECT_THAT(ErrorOf(input + R"("datatype": "INT32", "data": )" + deep),
              HasSubstr("input \"a\": JSON, byte"));
  EXPECT_THAT(ErrorOf(input + R"("data": )" + deep), HasSubstr("deep"));
  EXPECT_THAT(ErrorOf(R"({"inputs": [], "parameters": {"x": )" + deep), HasSubstr("parameter"));
  EXPECT_THAT(ErrorOf(R"({"unknown": )" + deep), HasSubstr("deep"));
}

TEST(InferRequestTest, BinaryDataIsAsLongAsItIsSaidToBe) {
  const std::string json =
      R"({"inputs": [{"name": "a", "shape": [1], "datatype": "INT32",
          "parameters": {"binary_data_size": 4}}]})";
  EXPECT_TRUE(Read(json, "abcd").ok());
  EXPECT_THAT(ErrorOf(json), HasSubstr("Inference-Header-Content-Length"));
  EXPECT_THAT(ErrorOf(json, "abc"), HasSubstr("3 bytes are left"));
  EXPECT_THAT(ErrorOf(json, "abcde"), HasSubstr("1 bytes behind"));
  for (const char* size : {"-1", "99999999999999999999", "1.5", "\"4\"", "true"}) {
    EXPECT_FALSE(Read(R"({"inputs": [{"name": "a", "shape": [1], "datatype": "INT32",
                          "parameters": {"binary_data_size": )" +
                          std::string(size) + "}}]}",
                      "abcd")
                     .ok())
        << size;
  }
}

TEST(InferRequestTest, CountsAreLimited) {
  std::string inputs;
  for (int i = 0; i < 1025; ++i) {
    inputs += std::string(i > 0 ? "," : "") +
              R"({"name": "a", "shape": [0], "datatype": "INT32", "data": []})";
  }
  EXPECT_THAT(ErrorOf("{\"inputs\": [" + inputs + "]}"), HasSubstr("more than 1024 inputs"));
  std::string dims = "1";
  for (int i = 0; i < 64; ++i) dims += ",1";
  EXPECT_THAT(ErrorOf(R"({"inputs": [{"name": "a", "shape": [)" + dims + "]}]}"),
              HasSubstr("more than 64 dimensions"));
}

TEST(RawInferBodyTest, ShapeFollowsFromTheNumberOfBytes) {
  ModelConfiguration model;
  model.max_batch_size = 64;
  model.inputs = {{"x", DataType::kFloat32, {-1, 2}}};
  const std::string bytes(24, 'x');
  const auto read = RawInferBody(model, Bytes(bytes));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->inputs[0].dims, (Dims{1, 3, 2}));
  EXPECT_EQ(read->inputs[0].data_type, "FP32");
  EXPECT_TRUE(read->form.is_binary);
  model.inputs[0].dims = {-1, -1};
  EXPECT_TRUE(absl::IsInvalidArgument(RawInferBody(model, Bytes(bytes)).status()));
  model.inputs.push_back(model.inputs[0]);
  EXPECT_TRUE(absl::IsInvalidArgument(RawInferBody(model, Bytes(bytes)).status()));
}

TEST(ParseJsonLengthTest, IsANumberWithinTheBody) {
  EXPECT_EQ(*ParseJsonLength("", 5), std::nullopt);
  EXPECT_EQ(*ParseJsonLength("0", 5), std::optional<std::size_t>(0));
  EXPECT_EQ(*ParseJsonLength("5", 5), std::optional<std::size_t>(5));
  for (const char* value :
       {"6", "-1", "abc", "99999999999", "99999999999999999999999", "1 ", "0x1", "1.0"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseJsonLength(value, 5).status())) << value;
  }
}

}  // namespace
}  // namespace octet
