// SPDX-License-Identifier: Apache-2.0

#include "server/inference/classification.h"

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kMostBytes = 1 << 20;

template <typename T>
InferenceAnswer AnswerOf(DataType type, Dims dims, const std::vector<T>& values) {
  InferenceAnswer answer;
  answer.outputs = {{"y", type, std::move(dims), std::as_bytes(std::span(values))}};
  return answer;
}

std::vector<std::string> Texts(const AnswerOutput& output) {
  EXPECT_TRUE(output.holds_text);
  std::vector<std::string> texts;
  std::span<const std::byte> rest = output.data;
  while (!rest.empty()) {
    std::uint32_t size = 0;
    std::memcpy(&size, rest.data(), sizeof(size));
    rest = rest.subspan(sizeof(size));
    texts.emplace_back(reinterpret_cast<const char*>(rest.data()), size);
    rest = rest.subspan(size);
  }
  return texts;
}

TEST(ClassificationTest, LargestOfEachRowWithLabels) {
  const std::vector<float> values = {0.25F, 0.75F, 0.0F, 1.0F, -2.0F, 0.5F};
  const std::vector<std::string> labels = {"cat", "dog", "a:b"};
  InferenceAnswer answer = AnswerOf(DataType::kFloat32, {2, 3}, values);
  const OutputClasses wanted{.count = 2, .labels = labels};
  const absl::Status status = Classify({&wanted, 1}, true, kMostBytes, answer);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(answer.outputs[0].dims, ElementsAre(2, 2));
  EXPECT_THAT(Texts(answer.outputs[0]),
              ElementsAre("0.750000:1:dog", "0.250000:0:cat", "1.000000:0:cat", "0.500000:2:a:b"));
}

TEST(ClassificationTest, WithoutRowsAllElementsAreOne) {
  const std::vector<std::int8_t> values = {-1, 5, 5, -128};
  InferenceAnswer answer = AnswerOf(DataType::kInt8, {2, 2}, values);
  const OutputClasses wanted{.count = 4};
  ASSERT_TRUE(Classify({&wanted, 1}, false, kMostBytes, answer).ok());
  EXPECT_THAT(answer.outputs[0].dims, ElementsAre(4));
  EXPECT_THAT(Texts(answer.outputs[0]), ElementsAre("5:1", "5:2", "-1:0", "-128:3"));
}

TEST(ClassificationTest, LabelsOfAnotherNumberAreLeftOut) {
  const std::vector<std::uint8_t> values = {1, 255};
  const std::vector<std::string> labels = {"a", "b", "c"};
  InferenceAnswer answer = AnswerOf(DataType::kUint8, {1, 2}, values);
  const OutputClasses wanted{.count = 1, .labels = labels};
  ASSERT_TRUE(Classify({&wanted, 1}, true, kMostBytes, answer).ok());
  EXPECT_THAT(Texts(answer.outputs[0]), ElementsAre("255:1"));
}

TEST(ClassificationTest, NanIsLastAndInfinityHasAName) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<double> values = {kNan, -kInfinity, 1e300, kInfinity, kNan};
  InferenceAnswer answer = AnswerOf(DataType::kFloat64, {1, 5}, values);
  const OutputClasses wanted{.count = 5};
  ASSERT_TRUE(Classify({&wanted, 1}, true, kMostBytes, answer).ok());
  const std::vector<std::string> texts = Texts(answer.outputs[0]);
  ASSERT_EQ(texts.size(), 5U);
  EXPECT_EQ(texts[0], "inf:3");
  EXPECT_EQ(texts[1].size(), 301 + 7 + 2);  // every digit, six decimals, the index
  EXPECT_EQ(texts[2], "-inf:1");
  EXPECT_EQ(texts[3], "nan:0");
  EXPECT_EQ(texts[4], "nan:4");
}

TEST(ClassificationTest, OthersStayTensorsAndTheOwnerIsKept) {
  const std::vector<float> values = {1, 2};
  InferenceAnswer answer = AnswerOf(DataType::kFloat32, {1, 2}, values);
  answer.outputs.push_back(answer.outputs[0]);
  const auto owner = std::make_shared<int>(7);
  answer.owner = owner;
  const std::vector<OutputClasses> wanted = {{}, {.count = 1}};
  ASSERT_TRUE(Classify(wanted, true, kMostBytes, answer).ok());
  EXPECT_FALSE(answer.outputs[0].holds_text);
  EXPECT_EQ(answer.outputs[0].data.data(), std::as_bytes(std::span(values)).data());
  EXPECT_THAT(Texts(answer.outputs[1]), ElementsAre("2.000000:1"));
  EXPECT_EQ(owner.use_count(), 2);
}

TEST(ClassificationTest, MoreThanARowHas) {
  const std::vector<float> values = {1, 2};
  InferenceAnswer answer = AnswerOf(DataType::kFloat32, {1, 2}, values);
  const OutputClasses wanted{.count = 3};
  const absl::Status status = Classify({&wanted, 1}, true, kMostBytes, answer);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("asks for 3 classes, a row has 2 elements"));
}

TEST(ClassificationTest, MoreTextThanThereMayBe) {
  const std::vector<float> values(100, 0.5F);
  InferenceAnswer answer = AnswerOf(DataType::kFloat32, {10, 10}, values);
  const OutputClasses wanted{.count = 10};
  EXPECT_TRUE(absl::IsResourceExhausted(Classify({&wanted, 1}, true, 500, answer)));
}

TensorSignature Signature(DataType type, Shape shape) {
  return {"y", {type, std::move(shape), std::nullopt}};
}

TEST(ClassificationTest, SignaturesThatHaveClasses) {
  const Dim rows(kRows);
  for (const DataType type : {DataType::kInt8, DataType::kUint64, DataType::kFloat64}) {
    EXPECT_TRUE(CheckClasses(Signature(type, {rows, 2, 3}), true, 6).ok());
    EXPECT_FALSE(CheckClasses(Signature(type, {rows, 2, 3}), true, 7).ok());
  }
  EXPECT_TRUE(CheckClasses(Signature(DataType::kInt8, {2, 3}), false, 6).ok());
  // How many there are is known when it runs.
  EXPECT_TRUE(CheckClasses(Signature(DataType::kInt8, {rows, Dim(Symbol{1})}), true, 99).ok());
  for (const DataType type : {DataType::kBool, DataType::kFloat16, DataType::kUint4}) {
    const absl::Status status = CheckClasses(Signature(type, {rows, 6}), true, 1);
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr("is of datatype"));
  }
}

}  // namespace
}  // namespace octet
