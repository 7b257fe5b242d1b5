// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/symbol_binding.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using ::octet::testing::Append;
using ::octet::testing::FloatType;
using ::octet::testing::TinyKernels;
using ::octet::testing::TinyOperators;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// a [rows, length], b [rows, 2 * length + 1].
class SymbolBindingTest : public ::testing::Test {
 protected:
  SymbolBindingTest() {
    Graph graph;
    graph.symbol_names = {"rows", "length"};
    const Dim length(Symbol{1});
    const ValueId a = graph.AddValue("a", FloatType({Dim(kRows), length}));
    const ValueId b =
        graph.AddValue("b", FloatType({Dim(kRows), length.Times(2).value().Plus(1).value()}));
    graph.outputs = {Append(graph, "Twice", {a}, "y")};
    graph.inputs = {a, b};
    executable_ = Executable::Compile(graph, operators_, TinyKernels()).value();
  }

  absl::Status Bind(const Dims& a, const Dims& b, DataType type = DataType::kFloat32) {
    const std::vector<TensorView> views = {{type, a, nullptr}, {DataType::kFloat32, b, nullptr}};
    return BindSymbols(*executable_, views, symbols_);
  }

  OperatorRegistry operators_ = TinyOperators();
  std::shared_ptr<const Executable> executable_;
  std::vector<std::int64_t> symbols_ = {0, 0};
};

TEST_F(SymbolBindingTest, FindsTheValueOfEachSymbol) {
  ASSERT_TRUE(Bind({7, 3}, {7, 7}).ok());
  EXPECT_THAT(symbols_, ElementsAre(7, 3));
}

TEST_F(SymbolBindingTest, CountsThePositionsOfTheLargestInput) {
  const auto count = [this](const Dims& a, const Dims& b) {
    const std::vector<TensorView> views = {{DataType::kFloat32, a, nullptr},
                                           {DataType::kFloat32, b, nullptr}};
    return CountPositions(*executable_, views);
  };
  EXPECT_EQ(count({7, 3}, {7, 7}), 49);
  EXPECT_EQ(count({1, 1}, {1, 3}), 3);
  EXPECT_EQ(TypicalPositions(*executable_), 2 * kTypicalSymbol + 1);
  const std::int64_t huge = kMaxSymbolValue;
  EXPECT_EQ(count({huge, huge}, {huge, 2 * huge + 1}), std::int64_t{1} << 40) << "no overflow";
}

TEST_F(SymbolBindingTest, NamesTheInputThatDoesNotFit) {
  const absl::Status rows = Bind({7, 3}, {6, 7});
  EXPECT_EQ(rows.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(rows.message()),
              AllOf(HasSubstr("\"b\""), HasSubstr("FP32[6, 7]"), HasSubstr("[rows, 2*length+1]")));
  EXPECT_THAT(std::string(Bind({7, 3}, {7, 8}).message()), HasSubstr("\"b\""));
  EXPECT_THAT(std::string(Bind({7}, {7, 7}).message()), HasSubstr("\"a\": got FP32[7]"));
  EXPECT_THAT(std::string(Bind({7, 3}, {7, 7}, DataType::kInt8).message()),
              HasSubstr("got INT8[7, 3], wants FP32[rows, length]"));
}

TEST_F(SymbolBindingTest, WithoutInputsThereIsOneRow) {
  Graph graph;
  const ValueId w = graph.AddConstant(
      "w", ConstantTensor::Copy(DataType::kFloat32, {2}, std::vector<float>{1, 2}));
  graph.outputs = {Append(graph, "Rows", {w}, "y")};
  const auto executable = Executable::Compile(graph, operators_, TinyKernels());
  ASSERT_TRUE(executable.ok()) << executable.status();
  std::vector<std::int64_t> symbols = {0};
  ASSERT_TRUE(BindSymbols(**executable, {}, symbols).ok());
  EXPECT_THAT(symbols, ElementsAre(1));
  const Dims dims = {1, 2};
  const std::vector<TensorView> views = {{DataType::kFloat32, dims, nullptr}};
  EXPECT_THAT(std::string(BindSymbols(**executable, views, symbols).message()),
              HasSubstr("got 1 inputs, wants 0"));
}

TEST_F(SymbolBindingTest, RefusesSizesThatNoBatchHas) {
  for (const Dims& a : {Dims{0, 3}, Dims{-1, 3}, Dims{7, 0}, Dims{kMaxSymbolValue + 1, 3}}) {
    EXPECT_EQ(Bind(a, {a[0], 2 * a[1] + 1}).code(), absl::StatusCode::kInvalidArgument)
        << ToString(a);
  }
  EXPECT_EQ(BindSymbols(*executable_, {}, symbols_).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
