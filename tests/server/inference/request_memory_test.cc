// SPDX-License-Identifier: Apache-2.0

#include "server/inference/request_memory.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/shared_object.h"

namespace octet {
namespace {

using ::testing::HasSubstr;
using testing::SharedObject;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::vector<std::byte> Bytes(std::size_t count, std::uint8_t value) {
  return std::vector<std::byte>(count, std::byte{value});
}

class RequestMemoryTest : public ::testing::Test {
 protected:
  RequestMemoryTest() {
    EXPECT_TRUE(regions_.Register("r", {object_.key(), 0, 256}).ok());
    request_.is_of_own_machine = true;
  }

  RequestInput& AddInput(std::uint64_t offset, std::uint64_t byte_size) {
    RequestInput& input = request_.inputs.emplace_back();
    input.name = "x" + std::to_string(request_.inputs.size());
    input.memory = SharedMemoryRange{"r", offset, byte_size};
    return input;
  }
  RequestedOutput& AddOutput(std::uint64_t offset, std::uint64_t byte_size) {
    RequestedOutput& output = request_.outputs.emplace_back();
    output.name = "y" + std::to_string(request_.outputs.size());
    output.memory = SharedMemoryRange{"r", offset, byte_size};
    return output;
  }
  std::shared_ptr<RequestMemory> Find() { return RequestMemory::Find(&regions_, request_).value(); }
  void ExpectRefused(absl::StatusCode code, const std::string& text) {
    const absl::Status status = RequestMemory::Find(&regions_, request_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  SharedObject object_{256};
  SharedMemoryRegions regions_{
      {.key_prefix = "", .max_request_bytes = 128, .max_copied_bytes = 128}};
  InferenceRequest request_;
};

TEST_F(RequestMemoryTest, InputsAreCopiedOnce) {
  object_.Put(64, Bytes(16, 1));
  object_.Put(0, Bytes(8, 2));
  AddInput(64, 16);
  const std::vector<std::byte> sent = Bytes(4, 3);
  request_.inputs.push_back({"sent", "UINT8", {4}, sent});
  AddInput(0, 8);
  const auto memory = Find();
  EXPECT_EQ(request_.inputs[0].data.size(), 16U);
  EXPECT_EQ(request_.inputs[1].data.data(), sent.data());
  ASSERT_TRUE(memory->ReadInputs(request_).ok());
  object_.Put(0, Bytes(256, 9));  // changes nothing any more
  const auto read = [this](std::size_t i) {
    return std::vector<std::byte>(request_.inputs[i].data.begin(), request_.inputs[i].data.end());
  };
  EXPECT_EQ(read(0), Bytes(16, 1));
  EXPECT_EQ(read(2), Bytes(8, 2));
  EXPECT_FALSE(memory->has_outputs());
}

TEST_F(RequestMemoryTest, OutputsAreWrittenWhereTheyAreWanted) {
  AddOutput(32, 64);
  request_.outputs.push_back({"sent"});
  AddOutput(96, 16);
  const auto memory = Find();
  ASSERT_TRUE(memory->has_outputs());
  const std::vector<std::byte> first = Bytes(40, 1);
  const std::vector<std::byte> second = Bytes(8, 2);
  const std::vector<std::byte> third = Bytes(16, 3);
  InferenceAnswer answer;
  answer.outputs = {{"y1", DataType::kUint8, {40}, first},
                    {"sent", DataType::kUint8, {8}, second},
                    {"y3", DataType::kUint8, {16}, third}};
  regions_.UnregisterAll();  // it is in flight
  ASSERT_TRUE(memory->WriteOutputs(answer).ok());
  EXPECT_EQ(object_.Get(32, 40), first);
  EXPECT_EQ(object_.Get(72, 24), Bytes(24, 0));
  EXPECT_EQ(object_.Get(96, 16), third);
  EXPECT_TRUE(answer.outputs[0].data.empty());
  EXPECT_EQ(answer.outputs[0].memory->region, "r");
  EXPECT_EQ(answer.outputs[0].memory->offset, 32U);
  EXPECT_EQ(answer.outputs[0].memory->byte_size, 40U);
  EXPECT_EQ(answer.outputs[1].data.size(), 8U);
  EXPECT_FALSE(answer.outputs[1].memory.has_value());
}

TEST_F(RequestMemoryTest, AnOutputThatDoesNotFitIsRefusedAndNothingWritten) {
  AddOutput(0, 8);
  AddOutput(8, 7);
  const auto memory = Find();
  const std::vector<std::byte> data = Bytes(8, 1);
  InferenceAnswer answer;
  answer.outputs = {{"y1", DataType::kUint8, {8}, data}, {"y2", DataType::kUint8, {8}, data}};
  const absl::Status status = memory->WriteOutputs(answer);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(),
            "output \"y2\" has 8 bytes, shared_memory_byte_size is 7; wants at least as many");
  EXPECT_EQ(object_.Get(0, 16), Bytes(16, 0));
}

TEST_F(RequestMemoryTest, WithoutSharedMemoryItIsNotThere) {
  AddInput(0, 8);
  const absl::Status status = RequestMemory::Find(nullptr, request_).status();
  EXPECT_TRUE(absl::IsUnimplemented(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--allow-shared-memory"));
}

TEST_F(RequestMemoryTest, CallersOfOtherMachinesAreRefused) {
  request_.is_of_own_machine = false;
  AddInput(0, 8);
  ExpectRefused(absl::StatusCode::kPermissionDenied, "own machine");
}

TEST_F(RequestMemoryTest, BytesThatAreNotInTheRegionAreRefused) {
  struct Case {
    std::uint64_t offset;
    std::uint64_t byte_size;
  };
  for (const auto& [offset, byte_size] :
       {Case{0, 257}, Case{256, 1}, Case{kMost, 1}, Case{kMost - 3, 8}, Case{1, kMost}}) {
    request_.inputs.clear();
    request_.outputs.clear();
    AddInput(offset, byte_size);
    ExpectRefused(absl::StatusCode::kInvalidArgument, "input \"x1\": got shared_memory_offset");
    request_.inputs.clear();
    AddOutput(offset, byte_size);
    ExpectRefused(absl::StatusCode::kInvalidArgument, "output \"y1\": got shared_memory_offset");
  }
}

TEST_F(RequestMemoryTest, RegionsThatAreNotThereAreNotFound) {
  AddInput(0, 8).memory->region = "s";
  ExpectRefused(absl::StatusCode::kNotFound, "input \"x1\": shared memory region \"s\"");
  request_.inputs.clear();
  AddOutput(0, 8).memory->region = "s";
  ExpectRefused(absl::StatusCode::kNotFound, "output \"y1\": shared memory region \"s\"");
}

TEST_F(RequestMemoryTest, InputsMayLieWhereOutputsDoButNoTwoOutputs) {
  AddInput(0, 64);
  AddInput(0, 64);
  AddOutput(0, 64);
  EXPECT_TRUE(Find()->has_outputs());
  AddOutput(63, 8);
  ExpectRefused(absl::StatusCode::kInvalidArgument, "output \"y2\": its bytes");
}

TEST_F(RequestMemoryTest, ClassesAreNotWrittenThere) {
  AddOutput(0, 64).num_classes = 2;
  ExpectRefused(absl::StatusCode::kInvalidArgument, "classification");
}

TEST_F(RequestMemoryTest, MoreThanMayBeCopiedIsRefused) {
  AddInput(0, 100);
  AddInput(0, 29);
  ExpectRefused(absl::StatusCode::kResourceExhausted, "129 bytes");
  request_.inputs.pop_back();
  AddInput(0, 28);
  const auto memory = Find();
  ExpectRefused(absl::StatusCode::kResourceExhausted, "retry");
}

TEST_F(RequestMemoryTest, ARegionThatWasCutShortIsAnErrorOfItsTensor) {
  AddInput(200, 8);
  AddOutput(100, 8);
  const auto memory = Find();
  object_.Resize(104);
  EXPECT_THAT(std::string(memory->ReadInputs(request_).message()),
              HasSubstr("input \"x1\": the shared memory object has been cut short"));
  const std::vector<std::byte> data = Bytes(8, 1);
  InferenceAnswer answer;
  answer.outputs = {{"y1", DataType::kUint8, {8}, data}};
  EXPECT_TRUE(absl::IsFailedPrecondition(memory->WriteOutputs(answer)));
}

}  // namespace
}  // namespace octet
