// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/tensor_codec.h"

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/inference/open_inference_grpc.pb.h"

namespace octet {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kMaxTensorBytes = 1 << 20;

// `wire` in pieces of `size` bytes.
std::vector<Bytes> Cut(const std::string& wire, std::size_t size) {
  std::vector<Bytes> chunks;
  const Bytes bytes = std::as_bytes(std::span(wire));
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    chunks.push_back(bytes.subspan(at, std::min(size, bytes.size() - at)));
  }
  return chunks;
}

ModelInferRequest TwoInputs() {
  ModelInferRequest message;
  message.set_model_name("net");
  message.set_model_version("3");
  message.set_id("caf\xc3\xa9");
  (*message.mutable_parameters())["octet_timing"].set_bool_param(true);
  for (const char* const name : {"a", "b"}) {
    auto& input = *message.add_inputs();
    input.set_name(name);
    input.set_datatype("UINT8");
    input.add_shape(2);
    input.add_shape(3);
  }
  auto& output = *message.add_outputs();
  output.set_name("y");
  (*output.mutable_parameters())["classification"].set_int64_param(2);
  message.add_raw_input_contents("abcdef");
  message.add_raw_input_contents("ghijkl");
  return message;
}

absl::StatusOr<DecodedRequest> Decode(const ModelInferRequest& message) {
  // The result refers to the wire bytes: only its status is used.
  const std::string wire = message.SerializeAsString();
  return DecodeRequest(Cut(wire, wire.size() + 1), kMaxTensorBytes);
}

TEST(TensorCodecTest, RequestInPiecesOfAnySize) {
  const std::string wire = TwoInputs().SerializeAsString();
  for (std::size_t size = 1; size <= wire.size(); ++size) {
    const absl::StatusOr<DecodedRequest> request = DecodeRequest(Cut(wire, size), kMaxTensorBytes);
    ASSERT_TRUE(request.ok()) << request.status();
    EXPECT_EQ(request->model_name, "net");
    EXPECT_EQ(request->model_version, "3");
    EXPECT_EQ(request->form.id, "caf\xc3\xa9");
    EXPECT_TRUE(request->form.wants_timing);
    ASSERT_EQ(request->outputs.size(), 1U);
    EXPECT_EQ(request->outputs[0].name, "y");
    EXPECT_EQ(request->outputs[0].num_classes, 2);
    ASSERT_EQ(request->inputs.size(), 2U);
    EXPECT_EQ(request->inputs[1].name, "b");
    EXPECT_EQ(request->inputs[1].data_type, "UINT8");
    EXPECT_THAT(request->inputs[1].dims, ElementsAre(2, 3));
    EXPECT_EQ(AsText(request->inputs[0].data), "abcdef");
    EXPECT_EQ(AsText(request->inputs[1].data), "ghijkl");
  }
}

TEST(TensorCodecTest, RawTensorInOneChunkIsNotCopied) {
  const std::string wire = TwoInputs().SerializeAsString();
  const auto request = DecodeRequest(Cut(wire, wire.size()), kMaxTensorBytes);
  ASSERT_TRUE(request.ok());
  EXPECT_TRUE(request->buffers.empty());
  const auto* const data = reinterpret_cast<const char*>(request->inputs[0].data.data());
  EXPECT_TRUE(data >= wire.data() && data < wire.data() + wire.size());
}

TEST(TensorCodecTest, TypedTensorsBecomeRawOnes) {
  ModelInferRequest message = TwoInputs();
  message.clear_raw_input_contents();
  for (auto& input : *message.mutable_inputs()) {
    for (int i = 0; i < 6; ++i) input.mutable_contents()->add_uint_contents('p');
  }
  const std::string wire = message.SerializeAsString();
  const auto request = DecodeRequest(Cut(wire, 5), kMaxTensorBytes);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(AsText(request->inputs[1].data), "pppppp");
}

TEST(TensorCodecTest, RawAndTypedTogether) {
  ModelInferRequest message = TwoInputs();
  message.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
  EXPECT_TRUE(absl::IsInvalidArgument(Decode(message).status()));
  message.mutable_inputs(0)->mutable_contents()->Clear();  // there, and empty
  EXPECT_TRUE(Decode(message).ok());
}

TEST(TensorCodecTest, RawTensorsMoreOrFewerThanInputs) {
  ModelInferRequest message = TwoInputs();
  message.add_raw_input_contents("x");
  EXPECT_THAT(std::string(Decode(message).status().message()),
              HasSubstr("got 3 raw_input_contents for 2 inputs"));
  message.mutable_raw_input_contents()->DeleteSubrange(1, 2);
  EXPECT_TRUE(absl::IsInvalidArgument(Decode(message).status()));
}

template <typename Tensor>
void SetMemory(Tensor& tensor) {
  (*tensor.mutable_parameters())["shared_memory_region"].set_string_param("r");
  (*tensor.mutable_parameters())["shared_memory_byte_size"].set_int64_param(6);
}

TEST(TensorCodecTest, RawTensorsAreOfTheInputsThatAreNotInSharedMemory) {
  ModelInferRequest message = TwoInputs();
  SetMemory(*message.mutable_inputs(0));
  EXPECT_THAT(std::string(Decode(message).status().message()),
              HasSubstr("got 2 raw_input_contents for 2 inputs, 1 of them in shared memory"));
  message.mutable_raw_input_contents()->erase(message.raw_input_contents().begin());
  const std::string wire = message.SerializeAsString();
  const auto request = DecodeRequest(Cut(wire, 7), kMaxTensorBytes);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->inputs[0].memory->region, "r");
  EXPECT_TRUE(request->inputs[0].data.empty());
  EXPECT_FALSE(request->inputs[1].memory.has_value());
  EXPECT_EQ(AsText(request->inputs[1].data), "ghijkl");
  SetMemory(*message.mutable_inputs(1));
  EXPECT_TRUE(absl::IsInvalidArgument(Decode(message).status()));
  message.clear_raw_input_contents();
  EXPECT_TRUE(Decode(message).ok());
}

TEST(TensorCodecTest, ContentsAndSharedMemoryTogether) {
  ModelInferRequest message = TwoInputs();
  message.clear_raw_input_contents();
  for (auto& input : *message.mutable_inputs()) input.mutable_contents()->add_uint_contents(1);
  SetMemory(*message.mutable_inputs(1));
  EXPECT_EQ(Decode(message).status().message(),
            "input \"b\" has contents and shared_memory_region; wants one of them");
}

TEST(TensorCodecTest, HalfAPlaceInSharedMemory) {
  for (const char* const half : {"shared_memory_region", "shared_memory_byte_size"}) {
    ModelInferRequest input = TwoInputs();
    SetMemory(*input.mutable_inputs(0));
    input.mutable_inputs(0)->mutable_parameters()->erase(half);
    EXPECT_THAT(
        std::string(Decode(input).status().message()),
        HasSubstr(std::string("input \"a\": got parameters of shared memory without ") + half));
    ModelInferRequest output = TwoInputs();
    SetMemory(*output.mutable_outputs(0));
    output.mutable_outputs(0)->mutable_parameters()->erase(half);
    EXPECT_TRUE(absl::IsInvalidArgument(Decode(output).status()));
  }
  ModelInferRequest offset = TwoInputs();
  (*offset.mutable_outputs(0)->mutable_parameters())["shared_memory_offset"].set_int64_param(0);
  EXPECT_TRUE(absl::IsInvalidArgument(Decode(offset).status()));
}

TEST(TensorCodecTest, TooManyOfAnything) {
  ModelInferRequest message = TwoInputs();
  for (int i = 0; i < 100; ++i) message.mutable_inputs(0)->add_shape(1);
  EXPECT_THAT(std::string(Decode(message).status().message()), HasSubstr("dimensions"));
  message = TwoInputs();
  for (int i = 0; i < 2000; ++i) message.add_inputs();
  EXPECT_THAT(std::string(Decode(message).status().message()), HasSubstr("inputs"));
  message = TwoInputs();
  for (int i = 0; i < 2000; ++i) message.add_outputs();
  EXPECT_THAT(std::string(Decode(message).status().message()), HasSubstr("outputs"));
}

TEST(TensorCodecTest, TypedTensorsShareOneLimit) {
  ModelInferRequest message = TwoInputs();
  message.clear_raw_input_contents();
  for (auto& input : *message.mutable_inputs()) {
    input.set_datatype("INT64");
    for (int i = 0; i < 10; ++i) input.mutable_contents()->add_int64_contents(1);
  }
  const std::string wire = message.SerializeAsString();
  EXPECT_TRUE(DecodeRequest(Cut(wire, 100), 160).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(DecodeRequest(Cut(wire, 100), 159).status()));
}

TEST(TensorCodecTest, UnknownFieldsArePassedOver) {
  std::string wire = TwoInputs().SerializeAsString();
  AppendText(99, "later", wire);
  EXPECT_TRUE(DecodeRequest(Cut(wire, wire.size()), kMaxTensorBytes).ok());
}

TEST(TensorCodecTest, TextThatIsNoUtf8) {
  std::string wire;
  AppendText(3, "\xff", wire);
  EXPECT_TRUE(
      absl::IsInvalidArgument(DecodeRequest(Cut(wire, wire.size()), kMaxTensorBytes).status()));
}

// Whatever the bytes, the answer is that of protobuf's own parser, or stricter.
TEST(TensorCodecTest, RandomChangesNeverPassWhatProtobufRefuses) {
  constexpr std::uint32_t kSeed = 17;
  std::mt19937 random(kSeed);
  ModelInferRequest typed = TwoInputs();
  typed.clear_raw_input_contents();
  for (auto& input : *typed.mutable_inputs()) {
    for (int i = 0; i < 6; ++i) input.mutable_contents()->add_uint_contents(7);
  }
  const std::vector<std::string> seeds = {TwoInputs().SerializeAsString(),
                                          typed.SerializeAsString()};
  int accepted = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string wire = seeds[random() % seeds.size()];
    for (std::uint32_t i = 0; i < 1 + random() % 3; ++i) {
      wire[random() % wire.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) wire.resize(random() % wire.size() + 1);
    const auto chunks = Cut(wire, 1 + random() % wire.size());
    const auto request = DecodeRequest(chunks, kMaxTensorBytes);
    if (!request.ok()) continue;
    ++accepted;
    ModelInferRequest message;
    ASSERT_TRUE(message.ParseFromString(wire)) << "round " << round;
    ASSERT_EQ(request->model_name, message.model_name());
    ASSERT_EQ(request->form.id, message.id());
    ASSERT_EQ(static_cast<int>(request->inputs.size()), message.inputs_size());
    for (int i = 0; i < message.inputs_size(); ++i) {
      const RequestInput& input = request->inputs[static_cast<std::size_t>(i)];
      ASSERT_EQ(input.name, message.inputs(i).name());
      ASSERT_TRUE(std::equal(input.dims.begin(), input.dims.end(),
                             message.inputs(i).shape().begin(), message.inputs(i).shape().end()));
      if (message.raw_input_contents_size() > 0) {
        ASSERT_EQ(AsText(input.data), message.raw_input_contents(i));
      }
    }
  }
  EXPECT_GT(accepted, 1000);
}

TEST(TensorCodecTest, AnswerIsAModelInferResponse) {
  const std::vector<float> values = {1.0F, 2.0F};
  const auto data = std::as_bytes(std::span(values));
  InferenceAnswer answer;
  answer.model = {"net", "3", "int8-dynamic", "avx2"};
  answer.outputs = {{"y", DataType::kFloat32, {1, 2}, data}, {"z", DataType::kInt8, {8}, data}};
  answer.times.queue = std::chrono::microseconds(7);
  answer.times.compute = std::chrono::microseconds(300);
  for (const bool with_timing : {false, true}) {
    const auto encoded =
        EncodeAnswer(answer, {.id = "id", .wants_timing = with_timing}, kMaxTensorBytes);
    ASSERT_TRUE(encoded.ok()) << encoded.status();
    ASSERT_EQ(encoded->headers.size(), 2U);
    EXPECT_FALSE(encoded->is_whole);
    std::string wire;
    for (const std::string& header : encoded->headers) {
      wire += header;
      wire.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    ModelInferResponse message;
    ASSERT_TRUE(message.ParseFromString(wire));
    EXPECT_EQ(message.model_name(), "net");
    EXPECT_EQ(message.model_version(), "3");
    EXPECT_EQ(message.id(), "id");
    EXPECT_EQ(message.outputs(0).datatype(), "FP32");
    EXPECT_THAT(message.outputs(0).shape(), ElementsAre(1, 2));
    EXPECT_EQ(message.outputs(1).name(), "z");
    EXPECT_EQ(message.raw_output_contents(1), AsText(data));
    EXPECT_EQ(message.parameters_size(), with_timing ? 4 : 0);
    if (with_timing) {
      EXPECT_EQ(message.parameters().at("octet_precision").string_param(), "int8-dynamic");
      EXPECT_EQ(message.parameters().at("octet_queue_us").int64_param(), 7);
      EXPECT_EQ(message.parameters().at("octet_compute_us").int64_param(), 300);
    }
  }
}

// The answer as a client that asked for typed contents gets it.
ModelInferResponse Typed(const InferenceAnswer& answer) {
  const auto encoded = EncodeAnswer(answer, {.wants_typed_outputs = true}, kMaxTensorBytes);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  EXPECT_TRUE(encoded->is_whole);
  ModelInferResponse message;
  EXPECT_TRUE(message.ParseFromString(encoded->headers.front()));
  EXPECT_EQ(message.raw_output_contents_size(), 0);
  return message;
}

template <typename T>
AnswerOutput OutputOf(DataType type, const std::vector<T>& values) {
  return {"y", type, {static_cast<std::int64_t>(values.size())}, std::as_bytes(std::span(values))};
}

TEST(TensorCodecTest, AnswerInSharedMemoryHasAnEmptyRawEntry) {
  const std::string data = "abcd";
  InferenceAnswer answer;
  answer.outputs = {{"x", DataType::kUint8, {4}, {}},
                    {"y", DataType::kUint8, {4}, std::as_bytes(std::span(data))}};
  answer.outputs[0].memory = SharedMemoryRange{"r", 16, 4};
  const EncodedAnswer encoded = EncodeAnswer(answer, {}, kMaxTensorBytes).value();
  ASSERT_EQ(encoded.headers.size(), 2U);
  ModelInferResponse message;
  ASSERT_TRUE(message.ParseFromString(encoded.headers[0] + encoded.headers[1] + data));
  ASSERT_EQ(message.raw_output_contents_size(), 2);
  EXPECT_EQ(message.raw_output_contents(0), "");
  EXPECT_EQ(message.raw_output_contents(1), data);
  const auto& parameters = message.outputs(0).parameters();
  EXPECT_EQ(parameters.at("shared_memory_region").string_param(), "r");
  EXPECT_EQ(parameters.at("shared_memory_offset").int64_param(), 16);
  EXPECT_EQ(parameters.at("shared_memory_byte_size").int64_param(), 4);
  EXPECT_EQ(message.outputs(1).parameters_size(), 0);
  AnswerForm typed;
  typed.wants_typed_outputs = true;
  const EncodedAnswer whole = EncodeAnswer(answer, typed, kMaxTensorBytes).value();
  ASSERT_TRUE(message.ParseFromString(whole.headers.front()));
  EXPECT_EQ(message.outputs(0).contents().uint_contents_size(), 0);
  EXPECT_EQ(message.outputs(1).contents().uint_contents_size(), 4);
}

TEST(TensorCodecTest, TypedAnswerOfEachDatatype) {
  const std::vector<float> floats = {1.5F, -2.0F};
  const std::vector<double> doubles = {0.1, -1e300};
  const std::vector<std::int8_t> bytes = {-128, 0, 127};
  const std::vector<std::uint16_t> shorts = {0, 128, 65535};
  const std::vector<std::int32_t> ints = {-2147483647, 5};
  const std::vector<std::int64_t> longs = {std::numeric_limits<std::int64_t>::min(), -1, 1};
  const std::vector<std::uint64_t> wides = {0, std::numeric_limits<std::uint64_t>::max()};
  const std::vector<std::uint8_t> bools = {1, 0, 1};
  InferenceAnswer answer;
  answer.outputs = {OutputOf(DataType::kFloat32, floats), OutputOf(DataType::kFloat64, doubles),
                    OutputOf(DataType::kInt8, bytes),     OutputOf(DataType::kUint16, shorts),
                    OutputOf(DataType::kInt32, ints),     OutputOf(DataType::kInt64, longs),
                    OutputOf(DataType::kUint64, wides),   OutputOf(DataType::kBool, bools)};
  const ModelInferResponse message = Typed(answer);
  ASSERT_EQ(message.outputs_size(), 8);
  EXPECT_THAT(message.outputs(0).contents().fp32_contents(), ElementsAre(1.5F, -2.0F));
  EXPECT_THAT(message.outputs(1).contents().fp64_contents(), ElementsAre(0.1, -1e300));
  EXPECT_THAT(message.outputs(2).contents().int_contents(), ElementsAre(-128, 0, 127));
  EXPECT_THAT(message.outputs(3).contents().uint_contents(), ElementsAre(0, 128, 65535));
  EXPECT_THAT(message.outputs(4).contents().int_contents(), ElementsAre(-2147483647, 5));
  EXPECT_THAT(message.outputs(5).contents().int64_contents(), ElementsAre(longs[0], -1, 1));
  EXPECT_THAT(message.outputs(6).contents().uint64_contents(), ElementsAre(0, wides[1]));
  EXPECT_THAT(message.outputs(7).contents().bool_contents(), ElementsAre(true, false, true));
}

TEST(TensorCodecTest, TypedAnswerOfTexts) {
  std::string raw;
  for (const std::string& text : {std::string("0.9:1:cat"), std::string(), std::string(300, 'x')}) {
    const auto size = static_cast<std::uint32_t>(text.size());
    raw.append(reinterpret_cast<const char*>(&size), sizeof(size));
    raw += text;
  }
  InferenceAnswer answer;
  answer.outputs = {{"y", DataType::kFloat32, {1, 3}, std::as_bytes(std::span(raw)), true}};
  const ModelInferResponse message = Typed(answer);
  EXPECT_EQ(message.outputs(0).datatype(), "BYTES");
  EXPECT_THAT(message.outputs(0).contents().bytes_contents(),
              ElementsAre("0.9:1:cat", "", std::string(300, 'x')));
}

TEST(TensorCodecTest, TypedAnswerWithoutElements) {
  InferenceAnswer answer;
  answer.outputs = {{"y", DataType::kInt32, {2, 0}, {}}};
  const ModelInferResponse message = Typed(answer);
  EXPECT_TRUE(message.outputs(0).has_contents());
  EXPECT_EQ(message.outputs(0).contents().int_contents_size(), 0);
}

// A negative element takes ten bytes.
TEST(TensorCodecTest, TypedAnswerThatIsTooLarge) {
  const std::vector<std::int8_t> values(100, -1);
  InferenceAnswer answer;
  answer.outputs = {OutputOf(DataType::kInt8, values)};
  const AnswerForm typed = {.wants_typed_outputs = true};
  EXPECT_TRUE(absl::IsResourceExhausted(EncodeAnswer(answer, typed, 1000).status()));
  EXPECT_TRUE(EncodeAnswer(answer, typed, 1003).ok());
  EXPECT_TRUE(EncodeAnswer(answer, {}, 10).ok());
}

}  // namespace
}  // namespace octet
