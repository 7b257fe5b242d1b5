// SPDX-License-Identifier: Apache-2.0
#include "models/importers/tflite/model_file.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <new>
#include <string>
#include <vector>

#include "tests/models/importers/tflite/model_builder.h"

namespace octet::tflite {
namespace {

using testing::Build;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ModelSpec;
using testing::SmallModel;

absl::Status ReadStatus(const std::vector<std::byte>& bytes) {
  return ReadModelFile(bytes).status();
}

void ExpectInvalid(const ModelSpec& spec, const std::string& message) {
  const absl::Status status = ReadStatus(Build(spec));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST(ModelFileTest, HasWhatTheFileHas) {
  const std::vector<std::byte> bytes = Build(SmallModel());
  const auto file = ReadModelFile(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->tensors.size(), 4);
  EXPECT_EQ(file->tensors[1].name, "w");
  EXPECT_EQ(file->tensors[1].data_type, DataType::kFloat32);
  EXPECT_THAT(file->tensors[1].dims, ElementsAre(3, 2));
  EXPECT_EQ(file->tensors[1].data.size(), 24);
  EXPECT_TRUE(file->tensors[0].data.empty());
  ASSERT_EQ(file->operators.size(), 1);
  EXPECT_EQ(file->operators[0].Name(), "FULLY_CONNECTED");
  EXPECT_THAT(file->operators[0].inputs, ElementsAre(0, 1, 2));
  EXPECT_THAT(file->outputs, ElementsAre(3));
}

TEST(ModelFileTest, AnotherFileIsRefused) {
  const std::string text = "this is a text, and no model";
  const auto bytes = std::as_bytes(std::span(text));
  const absl::Status status = ReadStatus({bytes.begin(), bytes.end()});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no TensorFlow Lite model"));
  EXPECT_EQ(ReadStatus({}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ModelFileTest, AFileThatIsCutShortAnywhereIsRefused) {
  const std::vector<std::byte> bytes = Build(SmallModel());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::byte> part(bytes.begin(),
                                      bytes.begin() + static_cast<std::ptrdiff_t>(size));
    // The last few bytes may be padding that nothing needs.
    EXPECT_TRUE(size + 8 >= bytes.size() || !ReadStatus(part).ok()) << size;
  }
}

TEST(ModelFileTest, AnotherVersionIsRefused) {
  ModelSpec spec = SmallModel();
  spec.version = 4;
  ExpectInvalid(spec, "got version 4 of the format, wants 3");
}

TEST(ModelFileTest, IndicesOutsideAreRefused) {
  ModelSpec spec = SmallModel();
  spec.operators[0].inputs[1] = 4;
  ExpectInvalid(spec, "operator 0 FULLY_CONNECTED: got tensor 4 among its inputs, wants -1 to 3");
  spec = SmallModel();
  spec.operators[0].outputs[0] = -1;
  ExpectInvalid(spec, "got tensor -1 among its outputs, wants 0 to 3");
  spec = SmallModel();
  spec.outputs = {17};
  ExpectInvalid(spec, "the model: got tensor 17 among its outputs");
  spec = SmallModel();
  spec.operators[0].code_offset = 1;
  ExpectInvalid(spec, "operator 0: got operator code 1, wants one of 1");
  spec = SmallModel();
  spec.tensors[1].buffer = 3;
  ExpectInvalid(spec, "tensor 1 \"w\": got buffer 3, wants one of 3");
}

TEST(ModelFileTest, AModelWithoutInputsOrOutputsIsRefused) {
  ModelSpec spec = SmallModel();
  spec.inputs = {};
  ExpectInvalid(spec, "got no inputs");
  spec = SmallModel();
  spec.outputs = {};
  ExpectInvalid(spec, "got no outputs");
}

TEST(ModelFileTest, ShapesThatNoTensorHasAreRefused) {
  ModelSpec spec = SmallModel();
  spec.tensors[0].shape = {1, -2};
  ExpectInvalid(spec, "tensor 0 \"x\"");
  spec.tensors[0].shape = {1 << 30, 1 << 30};
  ExpectInvalid(spec, "tensor 0 \"x\"");
  spec.tensors[0].shape = std::vector<std::int32_t>(9, 1);
  ExpectInvalid(spec, "got 9 dimensions, wants at most 8");
  spec = SmallModel();
  spec.tensors[0].signature = {-1, 2, 3};
  ExpectInvalid(spec, "got a shape signature of 3 dimensions, wants 2");
}

TEST(ModelFileTest, DataThatIsNoTensorsIsRefused) {
  ModelSpec spec = SmallModel();
  spec.tensors[1].data.pop_back();
  ExpectInvalid(spec, "tensor 1 \"w\": got 23 bytes of data for FP32[3, 2], wants 24");
}

TEST(ModelFileTest, ZeroPointsAreAsManyAsScales) {
  ModelSpec spec = SmallModel();
  spec.tensors[0].scale = {0.5F};
  spec.tensors[0].zero_point = {1, 2};
  ExpectInvalid(spec, "got 1 scales and 2 zero points");
}

TEST(ModelFileTest, AnyByteMayBeAnyOther) {
  const std::vector<std::byte> good = Build(testing::SmallIntegerModel(testing::kInt8));
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const unsigned value : {0x00U, 0x01U, 0x7fU, 0x80U, 0xffU}) {
      std::vector<std::byte> bytes = good;
      bytes[i] = std::byte{static_cast<std::uint8_t>(value)};
      static_cast<void>(ReadStatus(bytes));  // an answer of whatever kind
    }
  }
}

TEST(ModelFileTest, TypesHaveTheirPublishedNumbers) {
  EXPECT_EQ(DataTypeOf(0), DataType::kFloat32);
  EXPECT_EQ(DataTypeOf(9), DataType::kInt8);
  EXPECT_EQ(DataTypeOf(17), DataType::kInt4);
  EXPECT_EQ(DataTypeOf(5), std::nullopt);  // strings
  EXPECT_EQ(DataTypeOf(-128), std::nullopt);
}

}  // namespace
}  // namespace octet::tflite
