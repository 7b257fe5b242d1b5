// SPDX-License-Identifier: Apache-2.0
#include "client/client.h"

#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_inference_server.h"

namespace octet::client {
namespace {

using ::testing::ElementsAre;
using testing::FakeInferenceServer;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr std::chrono::milliseconds kTimeout{10000};
constexpr char kNobody[] = "127.0.0.1:1";

std::string BytesOf(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

InferRequest Request(const std::string& model) {
  return {.model = model,
          .id = "seven",
          .inputs = {{.name = "x",
                      .datatype = "FP32",
                      .shape = {1, 3},
                      .bytes = BytesOf({1.0F, -2.0F, 0.5F})}}};
}

TEST(ClientTest, AsksWhetherTheServerIsReady) {
  const FakeInferenceServer server;
  Client client(server.address());
  const auto ready = client.ServerReady(kTimeout);
  ASSERT_TRUE(ready.ok()) << ready.status();
  EXPECT_TRUE(*ready);
}

TEST(ClientTest, ReadsMetadata) {
  const FakeInferenceServer server;
  Client client(server.address());
  const auto metadata = client.GetModelMetadata("twice", "", kTimeout);
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->name, "twice");
  EXPECT_EQ(metadata->platform, "fake");
  EXPECT_THAT(metadata->versions, ElementsAre("1"));
  ASSERT_EQ(metadata->inputs.size(), 1U);
  EXPECT_EQ(metadata->inputs[0].name, "x");
  EXPECT_EQ(metadata->inputs[0].datatype, "FP32");
  EXPECT_THAT(metadata->inputs[0].shape, ElementsAre(-1, 3));
  ASSERT_EQ(metadata->outputs.size(), 1U);
  EXPECT_EQ(metadata->outputs[0].name, "y");
}

TEST(ClientTest, InfersOverTheWire) {
  const FakeInferenceServer server;
  Client client(server.address());
  InferRequest request = Request("twice");
  request.wants_timing = true;
  const auto response = client.Infer(request, kTimeout);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->model, "twice");
  EXPECT_EQ(response->version, "1");
  EXPECT_EQ(response->id, "seven");
  ASSERT_EQ(response->outputs.size(), 1U);
  EXPECT_EQ(response->outputs[0].name, "y");
  EXPECT_EQ(response->outputs[0].datatype, "FP32");
  EXPECT_THAT(response->outputs[0].shape, ElementsAre(1, 3));
  EXPECT_EQ(response->outputs[0].bytes, BytesOf({2.0F, -4.0F, 1.0F}));
  EXPECT_THAT(
      response->parameters,
      UnorderedElementsAre(Pair("has_timing", "true"), Pair("kernel", "fake"), Pair("rows", "1")));
}

TEST(ClientTest, AsksForTimingOnlyWhereWanted) {
  const FakeInferenceServer server;
  Client client(server.address());
  const auto response = client.Infer(Request("twice"), kTimeout);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->parameters.at("has_timing"), "false");
}

TEST(ClientTest, TheServersErrorKeepsCodeAndMessage) {
  const FakeInferenceServer server;
  Client client(server.address());
  const absl::Status infer = client.Infer(Request("thrice"), kTimeout).status();
  EXPECT_EQ(infer, absl::NotFoundError("no model \"thrice\""));
  const absl::Status metadata = client.GetModelMetadata("thrice", "", kTimeout).status();
  EXPECT_EQ(metadata, absl::NotFoundError("no model \"thrice\""));
}

TEST(ClientTest, ALateAnswerIsADeadlineExceeded) {
  FakeInferenceServer server;
  server.delay = std::chrono::milliseconds(500);
  Client client(server.address());
  const auto response = client.Infer(Request("twice"), std::chrono::milliseconds(50));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ClientTest, NoServerIsUnavailable) {
  Client client(kNobody);
  EXPECT_EQ(client.ServerReady(kTimeout).status().code(), absl::StatusCode::kUnavailable);
}

TEST(ClientTest, AResponseWithoutRawContentsIsRefused) {
  FakeInferenceServer server;
  server.edit = [](int, inference::ModelInferResponse& response) {
    response.clear_raw_output_contents();
    return grpc::Status::OK;
  };
  Client client(server.address());
  const absl::Status status = client.Infer(Request("twice"), kTimeout).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 outputs and 0 raw contents"));
}

TEST(ClientTest, ARequestIsSerializedAsTheProtocolSays) {
  InferRequest request = Request("twice");
  request.version = "3";
  inference::ModelInferRequest message;
  ASSERT_TRUE(message.ParseFromString(SerializeInferRequest(request)));
  EXPECT_EQ(message.model_name(), "twice");
  EXPECT_EQ(message.model_version(), "3");
  EXPECT_EQ(message.id(), "seven");
  ASSERT_EQ(message.inputs_size(), 1);
  EXPECT_EQ(message.inputs(0).name(), "x");
  EXPECT_THAT(message.inputs(0).shape(), ElementsAre(1, 3));
  EXPECT_THAT(message.raw_input_contents(), ElementsAre(BytesOf({1.0F, -2.0F, 0.5F})));
}

TEST(ClientTest, ParsesParametersOfEveryType) {
  inference::ModelInferResponse message;
  auto& parameters = *message.mutable_parameters();
  parameters["bool"].set_bool_param(false);
  parameters["double"].set_double_param(0.25);
  parameters["int"].set_int64_param(-7);
  parameters["string"].set_string_param("text");
  parameters["uint"].set_uint64_param(7);
  parameters["unset"];
  const auto response = ParseInferResponse(message.SerializeAsString());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->parameters,
              UnorderedElementsAre(Pair("bool", "false"), Pair("double", "0.25"), Pair("int", "-7"),
                                   Pair("string", "text"), Pair("uint", "7"), Pair("unset", "")));
}

TEST(ClientTest, BytesThatAreNoResponseAreRefused) {
  const absl::Status status = ParseInferResponse("\xFF\xFF").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("2 bytes that are no ModelInferResponse"));
}

}  // namespace
}  // namespace octet::client
