// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Node Example() {
  return {"conv1",
          "Conv2d",
          {0, kNoValue},
          {1},
          {{"groups", std::int64_t{2}},
           {"alpha", 0.5},
           {"padding", std::string("same")},
           {"strides", std::vector<std::int64_t>{2, 3}}}};
}

TEST(NodeTest, ReadsAttributes) {
  const Node node = Example();
  EXPECT_EQ(node.Int("groups", 1).value(), 2);
  EXPECT_EQ(node.Float("alpha", 0).value(), 0.5);
  EXPECT_EQ(node.Float("groups", 0).value(), 2.0) << "a whole number is a number";
  EXPECT_EQ(node.String("padding", "valid").value(), "same");
  EXPECT_THAT(node.Ints("strides", {}).value(), ElementsAre(2, 3));
}

TEST(NodeTest, AbsentAttributesHaveDefaults) {
  const Node node = Example();
  EXPECT_EQ(node.Int("axis", -1).value(), -1);
  EXPECT_EQ(node.Float("beta", 1.5).value(), 1.5);
  EXPECT_EQ(node.String("mode", "nearest").value(), "nearest");
  EXPECT_THAT(node.Ints("dilations", {1, 1}).value(), ElementsAre(1, 1));
}

TEST(NodeTest, AWrongTypeNamesNodeAndAttribute) {
  const Node node = Example();
  const absl::Status status = node.Int("padding", 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("conv1"), HasSubstr("padding"), HasSubstr("integer")));
  EXPECT_FALSE(node.Int("alpha", 0).ok());
  EXPECT_FALSE(node.String("groups", "").ok());
  EXPECT_FALSE(node.Ints("groups", {}).ok());
}

TEST(NodeTest, StringOrTakesAnotherTypeForNone) {
  const Node node = Example();
  EXPECT_EQ(StringOr(node, "padding", "valid"), "same");
  EXPECT_EQ(StringOr(node, "mode", "nearest"), "nearest");
  EXPECT_EQ(StringOr(node, "groups", "none"), "none");
}

TEST(NodeTest, KnowsWhichInputsAreGiven) {
  const Node node = Example();
  EXPECT_TRUE(node.HasInput(0));
  EXPECT_FALSE(node.HasInput(1));
  EXPECT_FALSE(node.HasInput(2));
}

TEST(GraphTest, AppendsValues) {
  Graph graph;
  EXPECT_EQ(graph.AddValue("x", {DataType::kFloat32, {Dim(kRows), 2}, std::nullopt}), 0);
  const auto tensor = ConstantTensor::Copy(DataType::kInt8, {2}, std::vector<std::int8_t>{1, 2});
  EXPECT_EQ(graph.AddConstant("w", tensor), 1);
  EXPECT_EQ(graph.values[1].type.data_type, DataType::kInt8);
  EXPECT_EQ(graph.values[1].type.shape, (Shape{2}));
  EXPECT_EQ(graph.values[1].constant->bytes().data(), tensor.bytes().data());
}

}  // namespace
}  // namespace octet
