// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/request_parameters.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/inference/open_inference_grpc.pb.h"

namespace octet {
namespace {

using ::testing::HasSubstr;

class RequestParametersTest : public ::testing::Test {
 protected:
  // Reads the one parameter that `set` puts into a request.
  template <typename Set>
  absl::Status Read(const std::string& name, Set set,
                    ParameterPlace place = ParameterPlace::kRequest) {
    inference::ModelInferRequest message;
    set((*message.mutable_parameters())[name]);
    const std::string wire = message.SerializeAsString();
    WireReader reader(std::as_bytes(std::span(wire)));
    return ReadParameter(reader.Next()->bytes, place, request_);
  }

  DecodedRequest request_;
};

TEST_F(RequestParametersTest, TimingAndTimeout) {
  EXPECT_TRUE(Read("octet_timing", [](auto& p) { p.set_bool_param(true); }).ok());
  EXPECT_TRUE(request_.form.wants_timing);
  EXPECT_TRUE(Read("timeout", [](auto& p) { p.set_int64_param(1500); }).ok());
  EXPECT_EQ(request_.timeout_microseconds, 1500);
}

TEST_F(RequestParametersTest, WrongTypesAreRefused) {
  const auto text = [](auto& p) { p.set_string_param("1"); };
  for (const char* const name :
       {"octet_timing", "timeout", "priority", "sequence_start", "sequence_end"}) {
    const absl::Status status = Read(name, text);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("got a string"));
  }
  EXPECT_FALSE(Read("priority", [](auto& p) { p.set_int64_param(-1); }).ok());
  EXPECT_FALSE(Read("timeout", [](auto& p) { p.set_int64_param(-1); }).ok());
  EXPECT_FALSE(Read("sequence_id", [](auto& p) { p.set_bool_param(true); }).ok());
  EXPECT_TRUE(Read("sequence_id", text).ok());
}

TEST_F(RequestParametersTest, TimeoutIsAnInt64AndNothingElse) {
  const auto expect_refused = [](const absl::Status& status, const std::string& got) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << got;
    EXPECT_EQ(status.message(), "parameter \"timeout\": got " + got +
                                    ", wants microseconds as an int64 of at least 0");
  };
  expect_refused(Read("timeout", [](auto& p) { p.set_uint64_param(1500); }), "a uint64");
  expect_refused(Read("timeout", [](auto& p) { p.set_double_param(1500); }), "a double");
  expect_refused(Read("timeout", [](auto& p) { p.set_string_param("1500"); }), "a string");
  expect_refused(Read("timeout", [](auto& p) { p.set_bool_param(true); }), "a bool");
  expect_refused(Read("timeout", [](auto&) {}), "nothing");
  expect_refused(Read("timeout", [](auto& p) { p.set_int64_param(-1); }), "an int64");
  EXPECT_FALSE(request_.timeout_microseconds.has_value());
  EXPECT_TRUE(Read("timeout", [](auto& p) { p.set_int64_param(0); }).ok());
  EXPECT_FALSE(request_.timeout_microseconds.has_value());  // 0: none, as in Triton
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_TRUE(Read("timeout", [](auto& p) { p.set_int64_param(kMost); }).ok());
  EXPECT_EQ(request_.timeout_microseconds, kMost);
}

TEST_F(RequestParametersTest, ReservedNamesAreRefusedAndOthersPassedOver) {
  EXPECT_TRUE(
      absl::IsInvalidArgument(Read("triton_something", [](auto& p) { p.set_bool_param(true); })));
  EXPECT_TRUE(
      absl::IsInvalidArgument(Read("octet_something", [](auto& p) { p.set_bool_param(true); })));
  EXPECT_TRUE(Read("mine", [](auto& p) { p.set_double_param(0.5); }).ok());
  EXPECT_TRUE(Read("empty", [](auto&) {}).ok());
}

TEST_F(RequestParametersTest, TypedOutputs) {
  EXPECT_FALSE(request_.form.wants_typed_outputs);
  EXPECT_TRUE(Read("octet_typed_outputs", [](auto& p) { p.set_bool_param(true); }).ok());
  EXPECT_TRUE(request_.form.wants_typed_outputs);
  EXPECT_TRUE(
      absl::IsInvalidArgument(Read("octet_typed_outputs", [](auto& p) { p.set_int64_param(1); })));
}

TEST_F(RequestParametersTest, EmptyFinalResponsesAreABool) {
  const std::string name = "triton_enable_empty_final_response";
  EXPECT_TRUE(Read(name, [](auto& p) { p.set_bool_param(true); }).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Read(name, [](auto& p) { p.set_string_param("1"); })));
}

TEST_F(RequestParametersTest, SharedMemoryOfInputsAndOutputs) {
  request_.inputs.emplace_back();
  request_.outputs.emplace_back();
  const auto read = [this](const std::string& name, auto set, ParameterPlace place) {
    EXPECT_TRUE(Read("shared_memory_" + name, set, place).ok()) << name;
  };
  for (const ParameterPlace place : {ParameterPlace::kInput, ParameterPlace::kOutput}) {
    read(
        "offset", [](auto& p) { p.set_uint64_param(1ULL << 63); }, place);
    read(
        "byte_size", [](auto& p) { p.set_int64_param(8); }, place);
    read(
        "region", [](auto& p) { p.set_string_param("r"); }, place);
  }
  for (const auto& memory : {request_.inputs[0].memory, request_.outputs[0].memory}) {
    ASSERT_TRUE(memory.has_value());
    EXPECT_EQ(memory->region, "r");
    EXPECT_EQ(memory->offset, 1ULL << 63);
    EXPECT_EQ(memory->byte_size, 8U);
  }
}

TEST_F(RequestParametersTest, SharedMemoryOfWrongTypesIsRefused) {
  request_.inputs.emplace_back();
  const auto expect_refused = [this](const std::string& name, auto set) {
    EXPECT_TRUE(absl::IsInvalidArgument(Read(name, set, ParameterPlace::kInput))) << name;
  };
  expect_refused("shared_memory_region", [](auto& p) { p.set_int64_param(1); });
  expect_refused("shared_memory_region", [](auto& p) { p.set_string_param(""); });
  expect_refused("shared_memory_region", [](auto&) {});
  for (const std::string name : {"shared_memory_byte_size", "shared_memory_offset"}) {
    expect_refused(name, [](auto& p) { p.set_int64_param(-1); });
    expect_refused(name, [](auto& p) { p.set_double_param(8); });
    expect_refused(name, [](auto& p) { p.set_string_param("8"); });
    expect_refused(name, [](auto&) {});
  }
  expect_refused("shared_memory_byte_size", [](auto& p) { p.set_int64_param(0); });
  expect_refused("shared_memory_handle", [](auto& p) { p.set_string_param("r"); });
}

TEST_F(RequestParametersTest, ClassificationIsAWholeNumberFromOne) {
  request_.outputs = {{.name = "x"}, {.name = "y"}};
  const auto read = [this](auto set) {
    return Read("classification", set, ParameterPlace::kOutput);
  };
  EXPECT_TRUE(read([](auto& p) { p.set_int64_param(3); }).ok());
  EXPECT_EQ(request_.outputs[0].num_classes, 0);
  EXPECT_EQ(request_.outputs[1].num_classes, 3);
  EXPECT_TRUE(
      read([](auto& p) { p.set_uint64_param(std::numeric_limits<std::uint64_t>::max()); }).ok());
  EXPECT_EQ(request_.outputs[1].num_classes, std::numeric_limits<std::int64_t>::max());
  for (const std::int64_t count : {std::int64_t{0}, std::int64_t{-1}}) {
    const absl::Status status = read([count](auto& p) { p.set_int64_param(count); });
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr("wants an int64 of at least 1"));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(read([](auto& p) { p.set_string_param("3"); })));
  EXPECT_TRUE(absl::IsInvalidArgument(read([](auto& p) { p.set_bool_param(true); })));
}

}  // namespace
}  // namespace octet
