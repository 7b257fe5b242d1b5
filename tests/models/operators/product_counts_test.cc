// SPDX-License-Identifier: Apache-2.0
// What each operator says of its products (Operator::CountProducts), by hand.

#include "models/graph/product_counts.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "models/operators/operators.h"

namespace octet {
namespace {

// One node; only shapes and attributes are read.
struct Case {
  std::string name;
  std::string op;
  std::vector<Shape> inputs;
  Shape output;
  double count = 0;
  bool are_integer = false;
  std::map<std::string, Attribute> attributes = {};
};

const Dim kBatch = Dim(kRows);
const Dim kLength = Dim(Symbol{1});

Graph MakeGraph(const Case& test) {
  Graph graph;
  graph.symbol_names = {"rows", "length"};
  Node node{"node", test.op, {}, {}, test.attributes};
  for (const Shape& shape : test.inputs) {
    const std::string name = absl::StrCat("input", graph.values.size());
    node.inputs.push_back(graph.AddValue(name, {DataType::kFloat32, shape, std::nullopt}));
  }
  node.outputs = {graph.AddValue("out", {DataType::kFloat32, test.output, std::nullopt})};
  graph.nodes.push_back(std::move(node));
  return graph;
}

class ProductCountsTest : public ::testing::TestWithParam<Case> {};

// Two rows of length 5.
TEST_P(ProductCountsTest, AreThoseOfTheNode) {
  const auto counts =
      CountProducts(MakeGraph(GetParam()), BuiltInOperators(), std::vector<std::int64_t>{2, 5});
  ASSERT_TRUE(counts.ok()) << counts.status();
  ASSERT_EQ(counts->size(), 1U);
  EXPECT_EQ(counts->front().count, GetParam().count);
  EXPECT_EQ(counts->front().are_integer, GetParam().are_integer);
}

const std::map<std::string, Attribute> kDynamic = {{"activation_quantization", "dynamic"}};
const std::map<std::string, Attribute> kStatic = {{"activation_quantization", "static"}};

INSTANTIATE_TEST_SUITE_P(
    Operators, ProductCountsTest,
    ::testing::Values(
        Case{"Float", "FullyConnected", {{kBatch, 8}, {8, 3}}, {kBatch, 3}, 2 * 3 * 8},
        Case{"Sequence",
             "FullyConnected",
             {{kBatch, kLength, 8}, {8, 3}},
             {kBatch, kLength, 3},
             2 * 5 * 3 * 8},
        Case{"WeightOnly", "FullyConnected", {{kBatch, 8}, {3, 8}}, {kBatch, 3}, 2 * 3 * 8, false},
        Case{"Dynamic", "FullyConnected", {{kBatch, 8}, {8, 3}}, {kBatch, 3}, 48, true, kDynamic},
        Case{"Static", "FullyConnected", {{kBatch, 8}, {8, 3}}, {kBatch, 3}, 48, true, kStatic},
        Case{"Conv2d",
             "Conv2d",
             {{kBatch, 9, 9, 4}, {3, 2, 4, 6}},
             {kBatch, 7, 8, 6},
             2 * 7 * 8 * 6 * 3 * 2 * 4},
        Case{"GroupedInteger",
             "Conv2d",
             {{kBatch, 9, 9, 4}, {3, 2, 2, 6}},
             {kBatch, 7, 8, 6},
             2 * 7 * 8 * 6 * 3 * 2 * 2,
             true,
             kStatic},
        Case{"Depthwise",
             "DepthwiseConv2d",
             {{kBatch, 9, 9, 4}, {3, 2, 4, 2}},
             {kBatch, 7, 8, 8},
             2 * 7 * 8 * 8 * 3 * 2},
        Case{"Transposed",
             "ConvTranspose2d",
             {{kBatch, 4, 5, 3}, {2, 2, 6, 3}},
             {kBatch, 8, 10, 6},
             2 * 4 * 5 * 2 * 2 * 6 * 3},
        Case{"IntegerMatMul", "IntegerMatMul", {{kBatch, 8}, {8, 3}}, {kBatch, 3}, 48, true},
        Case{"IntegerConv2d",
             "IntegerConv2d",
             {{kBatch, 9, 9, 4}, {3, 2, 4, 6}},
             {kBatch, 7, 8, 6},
             2 * 7 * 8 * 6 * 3 * 2 * 4,
             true},
        Case{"MatMul", "MatMul", {{kBatch, 4, 7}, {kBatch, 7, 3}}, {kBatch, 4, 3}, 2 * 4 * 7 * 3},
        Case{"TransposedMatMul",
             "MatMul",
             {{kBatch, 7, 4}, {kBatch, 3, 7}},
             {kBatch, 4, 3},
             2 * 4 * 7 * 3,
             false,
             {{"transpose_a", std::int64_t{1}}, {"transpose_b", std::int64_t{1}}}},
        Case{"Attention",
             "Attention",
             {{kBatch, kLength, 4, 8}, {kBatch, 6, 2, 8}, {kBatch, 6, 2, 3}},
             {kBatch, kLength, 4, 3},
             2 * 4 * 5 * 6 * (8 + 3)},
        Case{"Lstm",
             "Lstm",
             {{kBatch, kLength, 3}, {3, 16}, {4, 16}},
             {kBatch, 4},
             2 * 5 * (3 * 16 + 4 * 16)},
        Case{"DynamicLstm",
             "DynamicLstm",
             {{kBatch, kLength, 16}, {4, 16}},
             {kBatch, kLength, 4},
             2 * 5 * 4 * 16,
             true},
        Case{"FixedPointLstm",
             "FixedPointLstm",
             {{kBatch, kLength, 3}, {3, 16}, {4, 16}},
             {kBatch, kLength, 4},
             2 * 5 * (3 * 16 + 4 * 16),
             true},
        Case{"Gru",
             "Gru",
             {{kBatch, kLength, 3}, {3, 12}, {4, 12}},
             {kBatch, 4},
             2 * 5 * (3 * 12 + 4 * 12)},
        Case{"SimpleRnn",
             "SimpleRnn",
             {{kBatch, kLength, 3}, {3, 4}, {4, 4}},
             {kBatch, 4},
             2 * 5 * (3 * 4 + 4 * 4)},
        Case{"NoProducts", "Softmax", {{kBatch, 8}}, {kBatch, 8}, 0}),
    [](const auto& test) { return test.param.name; });

TEST(ProductShareTest, SumsWhatIsIntegerApart) {
  const std::vector<ProductCount> counts = {{30, true}, {10, false}, {}, {5, true}};
  const ProductShare share = SumProducts(counts);
  EXPECT_EQ(share.all, 45);
  EXPECT_EQ(share.integer, 35);
}

// A dimension that such a length would make less than nothing counts as nothing.
TEST(ProductShareTest, ALengthThatIsTooShortMakesNoProducts) {
  const auto shorter = kLength.Plus(-100);
  ASSERT_TRUE(shorter.ok()) << shorter.status();
  const Case test{"", "FullyConnected", {{kBatch, *shorter, 8}, {8, 3}}, {kBatch, *shorter, 3}};
  const auto counts =
      CountProducts(MakeGraph(test), BuiltInOperators(), std::vector<std::int64_t>{2, 5});
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->front().count, 0);
}

}  // namespace
}  // namespace octet
