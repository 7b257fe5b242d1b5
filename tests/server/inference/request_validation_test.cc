// SPDX-License-Identifier: Apache-2.0

#include "server/inference/request_validation.h"

#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_requests.h"
#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kHuge = (std::int64_t{1} << 60) + 2;

// sum = a + b on [rows, 3]; halves of a.
std::shared_ptr<const Executable> TwoInputs(const OperatorRegistry& operators) {
  Graph graph;
  const ValueId a = graph.AddValue("a", testing::FloatType({Dim(kRows), 3}));
  const ValueId b = graph.AddValue("b", testing::FloatType({Dim(kRows), 3}));
  const ValueId sum = testing::Append(graph, "Sum", {a, b}, "sum");
  const ValueId twice = testing::Append(graph, "Twice", {a}, "twice");
  graph.inputs = {a, b};
  graph.outputs = {sum, twice};
  return Executable::Compile(graph, operators, testing::TinyKernels()).value();
}

class RequestValidationTest : public ::testing::Test {
 protected:
  RequestValidationTest() {
    for (const char* const name : {"a", "b"}) Add(name, {2, 3});
  }

  void Add(const std::string& name, Dims dims, const std::string& type = "FP32",
           std::size_t bytes = 24) {
    request_.inputs.push_back({name, type, std::move(dims), std::span(bytes_).first(bytes)});
  }

  // Expects a refusal that says all of `parts`.
  void ExpectRefused(const std::vector<std::string>& parts) {
    const absl::Status status = BindRequest(*model_, request_);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    for (const std::string& part : parts) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(part));
    }
  }

  const OperatorRegistry operators_ = testing::TinyOperators();
  const std::shared_ptr<const Executable> model_ = TwoInputs(operators_);
  std::vector<std::byte> bytes_ = std::vector<std::byte>(1024);
  InferenceRequest request_;
};

TEST_F(RequestValidationTest, BindsInTheSignaturesOrder) {
  std::swap(request_.inputs[0], request_.inputs[1]);
  request_.outputs = {{.name = "twice"}};
  const absl::Status status = BindRequest(*model_, request_);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(request_.rows, 2);
  EXPECT_THAT(request_.output_indices, ElementsAre(1));
  EXPECT_EQ(request_.bound_inputs[0].dims.data(), request_.inputs[1].dims.data());
}

TEST_F(RequestValidationTest, NoOutputsMeansAll) {
  ASSERT_TRUE(BindRequest(*model_, request_).ok());
  EXPECT_THAT(request_.output_indices, ElementsAre(0, 1));
}

TEST_F(RequestValidationTest, ByteCountOtherThanTheShapes) {
  request_.inputs[1].data = std::span(bytes_).first(23);
  ExpectRefused({"\"b\"", "got 23 bytes", "[2, 3]", "wants 24"});
}

TEST_F(RequestValidationTest, NoDataAtAll) {
  request_.inputs[1].data = {};
  ExpectRefused({"got 0 bytes"});
}

TEST_F(RequestValidationTest, UnspecifiedAndNegativeDimensions) {
  request_.inputs[0].dims = {-1, 3};
  ExpectRefused({"-1", "every dimension"});
  request_.inputs[0].dims = {2, -3};
  ExpectRefused({"negative"});
}

TEST_F(RequestValidationTest, ProductsThatOverflow) {
  request_.inputs[0].dims = {16, kHuge};
  ExpectRefused({"wants [rows, 3]"});
  request_.inputs[0].dims = {kHuge, 3};
  ExpectRefused({"wants 1 to"});
  request_.inputs[0].dims = {std::numeric_limits<std::int64_t>::min(), 3};
  ExpectRefused({"negative"});
}

TEST_F(RequestValidationTest, RankAndFixedDimensions) {
  request_.inputs[0].dims = {3};
  ExpectRefused({"got shape [3]", "wants [rows, 3]", "the first dimension is the number of rows"});
  request_.inputs[0].dims = {};
  ExpectRefused({"wants [rows, 3]"});
  request_.inputs[0].dims = {2, 4};
  ExpectRefused({"[2, 4]", "dimension 1 is fixed"});
  request_.inputs[0].dims = Dims(50, 1);
  ExpectRefused({"50 dimensions"});
}

TEST_F(RequestValidationTest, DatatypeOtherThanTheModels) {
  request_.inputs[0].data_type = "INT32";
  ExpectRefused({"\"a\"", "INT32", "FP32"});
  request_.inputs[0].data_type = "BYTES";
  ExpectRefused({"BYTES"});
}

TEST_F(RequestValidationTest, UnknownMissingAndDuplicateInputs) {
  request_.inputs[1].name = "c\n";
  ExpectRefused({"c\\n", "\"a\", \"b\""});
  request_.inputs[1].name = "a";
  ExpectRefused({"given twice"});
  request_.inputs.pop_back();
  ExpectRefused({"missing: \"b\""});
  request_.inputs.clear();
  ExpectRefused({"got 0 inputs", "missing: \"a\", \"b\""});
}

TEST_F(RequestValidationTest, AModelWithoutInputsTakesNone) {
  const auto model = testing::ModelWithoutInputs(operators_);
  const absl::Status status = BindRequest(*model, request_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("unknown, the model wants none"));
  request_.inputs.clear();
  request_.outputs.clear();
  ASSERT_TRUE(BindRequest(*model, request_).ok());
  EXPECT_EQ(request_.rows, 1);
  EXPECT_TRUE(request_.bound_inputs.empty());
}

TEST_F(RequestValidationTest, UnknownAndDuplicateOutputs) {
  request_.outputs = {{.name = "nothing"}};
  ExpectRefused({"\"nothing\"", "\"sum\", \"twice\""});
  request_.outputs = {{.name = "sum"}, {.name = "sum"}};
  ExpectRefused({"asked for twice"});
}

TEST_F(RequestValidationTest, ClassesOfAnOutput) {
  request_.outputs = {{.name = "sum", .num_classes = 3}};
  EXPECT_TRUE(BindRequest(*model_, request_).ok());
  request_.outputs[0].num_classes = 4;
  ExpectRefused({"\"sum\"", "asks for 4 classes", "a row has 3 elements"});
  request_.outputs[0].num_classes = std::numeric_limits<std::int64_t>::max();
  ExpectRefused({"asks for 9223372036854775807 classes"});
}

TEST_F(RequestValidationTest, TypedOutputsOfTypesThatHaveContents) {
  request_.wants_typed_outputs = true;
  EXPECT_TRUE(BindRequest(*model_, request_).ok());
}

TEST_F(RequestValidationTest, RowsThatDisagreeOrAreNone) {
  request_.inputs[1].dims = {1, 3};
  request_.inputs[1].data = std::span(bytes_).first(12);
  ExpectRefused({"\"b\"", "is 1", "\"a\" says 2", "number of rows"});
  request_.inputs[0].dims = {0, 3};
  ExpectRefused({"[0, 3]", "wants 1 to"});
  request_.inputs[0].dims = {kMaxRequestRows + 1, 3};
  ExpectRefused({"wants 1 to 65536"});
}

}  // namespace
}  // namespace octet
