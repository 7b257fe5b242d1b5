// SPDX-License-Identifier: Apache-2.0
// Values that lie inside others: which do, and that no answer depends on it. The same graph with
// every value as an output has none, because an output lies in the caller's memory.

#include "models/runtime/subviews.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/operators/operators.h"
#include "models/runtime/session.h"
#include "tests/support/count_allocations.h"
#include "tests/support/run_operator.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Ints = std::vector<std::int64_t>;

constexpr std::int64_t kWidth = 3;
constexpr Symbol kLength{1};
constexpr float kScale = 0.02F;

// A graph over "x", which is [rows, length, kWidth] unless it is said, node by node.
class GraphOfParts {
 public:
  explicit GraphOfParts(const Dim& length) : GraphOfParts(Shape{Dim(kRows), length, kWidth}) {}
  explicit GraphOfParts(Shape shape) {
    graph.symbol_names.push_back("length");
    // A graph's symbols all come from its inputs.
    const ValueId open = graph.AddValue(
        "open", {DataType::kFloat32, {Dim(kRows), Dim(kLength), Dim(1)}, std::nullopt});
    x = graph.AddValue("x", {DataType::kFloat32, std::move(shape), std::nullopt});
    graph.inputs = {x, open};
  }

  ValueId Emit(const std::string& op, std::vector<ValueId> inputs,
               std::map<std::string, Attribute> attributes = {}) {
    const std::string name = op + std::to_string(graph.nodes.size());
    const auto output = static_cast<ValueId>(graph.values.size());
    Node node{name, op, std::move(inputs), {output}, std::move(attributes)};
    std::vector<TensorType> types;
    for (const ValueId id : node.inputs) types.push_back(TypeOf(id));
    std::vector<const ConstantTensor*> constants;
    for (const ValueId id : node.inputs) {
      const auto& constant = graph.values[static_cast<std::size_t>(id)].constant;
      constants.push_back(constant.has_value() ? &*constant : nullptr);
    }
    const auto inferred = (*operators_.Find(op))->InferOutputs(node, types, constants);
    EXPECT_TRUE(inferred.ok()) << inferred.status();
    graph.AddValue(name, inferred->front());
    graph.nodes.push_back(std::move(node));
    return output;
  }
  // Something to compute.
  ValueId Square(ValueId id) { return Emit("Activation", {id}, {{"activation", "square"}}); }
  ValueId Negative(ValueId id) { return Emit("Activation", {id}, {{"activation", "negative"}}); }
  ValueId Concat(std::vector<ValueId> ids, std::int64_t axis = 1) {
    return Emit("Concat", std::move(ids), {{"axis", axis}});
  }
  ValueId Slice(ValueId id, std::int64_t start, std::int64_t end, std::int64_t axis = 1) {
    return Emit("Slice", {id},
                {{"axes", Ints{axis}}, {"starts", Ints{start}}, {"ends", Ints{end}}});
  }
  // An int8 convolution to `channels` channels, whose outputs all have one quantization.
  ValueId Convolution(ValueId id, std::int64_t channels, std::int64_t size,
                      const std::string& op = "Conv2d") {
    const std::string name = "filter" + std::to_string(graph.values.size());
    const std::int64_t in_channels = TypeOf(id).shape[3].value();
    const Dims dims = op == "Conv2d" ? Dims{size, size, in_channels, channels}
                                     : Dims{size, size, in_channels, channels / in_channels};
    const auto count = static_cast<std::size_t>(NumElements(dims));
    const ValueId filter = graph.AddConstant(
        name, ConstantTensor::Copy(DataType::kInt8, dims,
                                   Int8Noise(count, static_cast<std::uint32_t>(count))));
    const ValueId scale = graph.AddConstant(
        name + "_scale", ConstantTensor::Copy(DataType::kFloat32, {1}, std::vector{0.004F}));
    return Emit(op, {id, filter, scale},
                {{"padding", "same"},
                 {"activation_quantization", "static"},
                 {"scale_convention", "multiply"},
                 {"output_scale", double{kScale}},
                 {"output_zero_point", std::int64_t{3}}});
  }
  ValueId Quantize(ValueId id) {
    return Emit("Quantize", {id}, {{"scale", double{kScale}}, {"zero_point", std::int64_t{3}}});
  }
  ValueId Reshape(ValueId id, Ints shape) {
    return Emit("Reshape", {id}, {{"shape", std::move(shape)}});
  }
  [[nodiscard]] const TensorType& TypeOf(ValueId id) const {
    return graph.values[static_cast<std::size_t>(id)].type;
  }
  [[nodiscard]] const std::string& NameOf(ValueId id) const {
    return graph.values[static_cast<std::size_t>(id)].name;
  }

  Graph graph;
  ValueId x;

 private:
  const OperatorRegistry operators_ = BuiltInOperators();
};

class SubviewsTest : public ::testing::Test {
 protected:
  void SetUp() override { kernels::PrepareThread(); }

  std::shared_ptr<const Executable> Compile(Graph graph, std::int64_t max_rows = 4) const {
    auto executable =
        Executable::Compile(std::move(graph), operators_, *kernels_, {.max_rows = max_rows});
    EXPECT_TRUE(executable.ok()) << executable.status();
    return *executable;
  }

  // Of the steps that do nothing where rows are run one at a time.
  static std::vector<std::string> InPlaceOf(const Executable& executable) {
    std::vector<std::string> nodes;
    for (const StepDescription& step : executable.steps()) {
      if (IsInPlace(step.in_place, 1)) nodes.push_back(step.node);
    }
    return nodes;
  }

  static std::vector<Tensor> Inputs(const Executable& executable, std::int64_t rows,
                                    std::int64_t length) {
    std::vector<Tensor> inputs;
    for (const TensorSignature& signature : executable.inputs()) {
      Dims dims;
      for (const Dim& dim : signature.type.shape) dims.push_back(dim.Evaluate(Ints{rows, length}));
      const auto size = static_cast<std::size_t>(NumElements(dims));
      inputs.push_back(Floats(std::move(dims), Noise(size, 7)));
    }
    return inputs;
  }

  static absl::StatusOr<std::vector<std::vector<float>>> Run(
      const std::shared_ptr<const Executable>& executable, std::int64_t rows,
      std::int64_t length = 1) {
    Arena arena;
    ASSIGN_OR_RETURN(const auto session, Session::Create(executable, arena));
    const std::vector<Tensor> inputs = Inputs(*executable, rows, length);
    std::vector<TensorView> in;
    for (const Tensor& input : inputs) in.push_back(input.view());
    std::vector<Dims> dims;
    RETURN_IF_ERROR(session->OutputDims(in, dims));
    std::vector<Tensor> outputs;
    std::vector<MutableTensorView> out;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      outputs.emplace_back(executable->outputs()[i].type.data_type, dims[i]);
    }
    for (Tensor& output : outputs) out.push_back(output.mutable_view());
    // What lay in the arena before must not matter.
    std::ranges::fill(arena.bytes(), std::byte{0xFF});
    RETURN_IF_ERROR(session->Run(in, out));
    std::vector<std::vector<float>> answers;
    for (const Tensor& output : outputs) answers.push_back(Elements<float>(output));
    return answers;
  }

  // The answers of `graph`, compiled for many rows and for one at a time, are those of a graph
  // without a subview, for batches of one row and of several, in one run and in many.
  void ExpectAnswersWithoutSubviews(const Graph& graph, std::int64_t length = 1) const {
    Graph pinned = graph;
    for (const Node& node : graph.nodes) {
      const ValueId id = node.outputs[0];
      if (std::ranges::count(pinned.outputs, id) == 0) pinned.outputs.push_back(id);
    }
    for (const std::int64_t max_rows : {1, 4}) {
      const auto executable = Compile(graph, max_rows);
      const auto without = Compile(pinned, max_rows);
      ASSERT_THAT(InPlaceOf(*without), ElementsAre());
      for (const std::int64_t rows : {1, 2, 4, 5}) {
        SCOPED_TRACE(::testing::Message() << rows << " rows, " << max_rows << " in a run");
        const auto got = Run(executable, rows, length);
        auto want = Run(without, rows, length);
        ASSERT_TRUE(got.ok()) << got.status();
        ASSERT_TRUE(want.ok()) << want.status();
        want->resize(got->size());
        EXPECT_EQ(*got, *want);
      }
    }
  }

  const OperatorRegistry operators_ = BuiltInOperators();
  const kernels::KernelSet* kernels_ = kernels::FindKernelSet("reference");
};

// Over all kernel sets: theirs are the rows that lie apart.
class SubviewKernelsTest : public SubviewsTest,
                           public ::testing::WithParamInterface<const kernels::KernelSet*> {
 protected:
  void SetUp() override {
    SubviewsTest::SetUp();
    kernels_ = GetParam();
  }

  // However many rows are run at a time.
  [[nodiscard]] std::vector<std::string> AlwaysInPlace(const Graph& graph) const {
    std::vector<std::string> nodes;
    for (const StepDescription& step : Compile(graph)->steps()) {
      if (step.in_place == InPlace::kAlways) nodes.push_back(step.node);
    }
    return nodes;
  }
};
OCTET_FOR_EVERY_KERNEL_SET(SubviewKernelsTest);

TEST_P(SubviewKernelsTest, ConvolutionsWriteTheirChannelsWhereTheyBelong) {
  GraphOfParts parts(Shape{Dim(kRows), 5, 6, 8});
  const ValueId x = parts.Quantize(parts.x);
  const ValueId narrow = parts.Convolution(x, 7, 1);
  const ValueId wide = parts.Convolution(parts.Convolution(x, 5, 3), 40, 3);
  const ValueId depthwise = parts.Convolution(x, 16, 3, "DepthwiseConv2d");
  const ValueId joined = parts.Concat({narrow, wide, depthwise}, 3);
  // Joined again, beside what is no convolution's.
  const ValueId block = parts.Convolution(x, 9, 3);
  const ValueId all = parts.Concat({joined, block, x}, 3);
  parts.graph.outputs = {parts.Emit("Dequantize", {parts.Convolution(all, 4, 3)})};
  EXPECT_THAT(AlwaysInPlace(parts.graph), ElementsAre(parts.NameOf(joined)));
  EXPECT_EQ(Compile(parts.graph)->compiled().subviews.size(), 5U);
  ExpectAnswersWithoutSubviews(parts.graph);
}

TEST_P(SubviewKernelsTest, AConvolutionThatOthersReadIsCopied) {
  GraphOfParts parts(Shape{Dim(kRows), 5, 6, 8});
  const ValueId x = parts.Quantize(parts.x);
  const ValueId skipped = parts.Convolution(x, 7, 1);
  const ValueId last = parts.Convolution(skipped, 3, 3);
  const ValueId joined = parts.Concat({last, skipped, last}, 3);
  parts.graph.outputs = {parts.Emit("Dequantize", {joined})};
  EXPECT_THAT(AlwaysInPlace(parts.graph), ElementsAre());
  EXPECT_EQ(Compile(parts.graph)->compiled().subviews.size(), 1U);  // last, once
  ExpectAnswersWithoutSubviews(parts.graph);
}

TEST_P(SubviewKernelsTest, AttentionReadsAndWritesTokensWhereTheyLie) {
  constexpr std::int64_t kHeads = 2;
  constexpr std::int64_t kHeadWidth = 5;
  constexpr std::int64_t kAll = kHeads * kHeadWidth;
  for (const Dim length : {Dim(6), Dim(kLength)}) {
    GraphOfParts parts(Shape{Dim(kRows), length, 3 * kAll});
    const ValueId all = parts.Square(parts.x);
    std::vector<ValueId> heads;
    std::vector<std::string> slices;
    for (std::int64_t i = 0; i < 3; ++i) {
      const ValueId slice = parts.Slice(all, i * kAll, (i + 1) * kAll, 2);
      slices.push_back(parts.NameOf(slice));
      heads.push_back(parts.Reshape(slice, {0, -1, kHeads, kHeadWidth}));
    }
    const ValueId attention = parts.Emit("Attention", heads, {{"scale", 0.4}});
    const ValueId tokens = parts.Reshape(attention, {0, -1, kAll});
    parts.graph.outputs = {parts.Concat({tokens, parts.Negative(all)}, 2)};
    EXPECT_EQ(AlwaysInPlace(parts.graph), slices);
    EXPECT_EQ(Compile(parts.graph)->compiled().subviews.size(), 4U);
    ExpectAnswersWithoutSubviews(parts.graph, 6);
  }
}

TEST_F(SubviewsTest, PiecesOfAConcatAreWrittenWhereTheyBelong) {
  GraphOfParts parts(4);
  const ValueId early = parts.Square(parts.x);
  // Values of the same size in between, which must not get the memory of the first piece.
  ValueId between = parts.x;
  for (int i = 0; i < 4; ++i) between = parts.Negative(between);
  const ValueId late = parts.Square(between);
  const ValueId joined = parts.Concat({early, late, between});
  parts.graph.outputs = {parts.Negative(joined)};
  EXPECT_THAT(InPlaceOf(*Compile(parts.graph)), ElementsAre("Concat6"));
  ExpectAnswersWithoutSubviews(parts.graph);
}

TEST_F(SubviewsTest, OnlySomePiecesMayBe) {
  GraphOfParts parts(4);
  const ValueId piece = parts.Square(parts.x);
  const ValueId output = parts.Negative(parts.x);
  // A piece twice, the graph's input, its output.
  const ValueId joined = parts.Concat({piece, piece, parts.x, output});
  const ValueId again = parts.Concat({piece, joined});
  parts.graph.outputs = {parts.Negative(again), output};
  const auto executable = Compile(parts.graph);
  EXPECT_THAT(InPlaceOf(*executable), ElementsAre());
  EXPECT_EQ(executable->compiled().subviews.size(), 2U);  // piece, joined
  ExpectAnswersWithoutSubviews(parts.graph);
}

TEST_F(SubviewsTest, ConcatsOfConcats) {
  GraphOfParts parts(2);
  ValueId joined = parts.Square(parts.x);
  for (int i = 0; i < 4; ++i) joined = parts.Concat({joined, parts.Negative(joined)});
  parts.graph.outputs = {joined};
  EXPECT_EQ(InPlaceOf(*Compile(parts.graph)).size(), 4U);
  ExpectAnswersWithoutSubviews(parts.graph);
}

TEST_F(SubviewsTest, SlicesAreReadWhereTheyLie) {
  GraphOfParts parts(9);
  const ValueId squared = parts.Square(parts.x);
  const ValueId slice = parts.Slice(squared, 2, 8);
  const ValueId of_slice = parts.Slice(slice, -3, -1);
  const ValueId of_input = parts.Slice(parts.x, 5, 7);
  const ValueId joined = parts.Concat({of_slice, parts.Negative(of_input)});
  const ValueId of_concat = parts.Slice(joined, 1, 3);
  parts.graph.outputs = {parts.Emit("Add", {parts.Negative(of_concat), parts.Negative(of_slice)}),
                         parts.Negative(slice)};
  // A slice lies in one place: the Concat copies it.
  EXPECT_THAT(InPlaceOf(*Compile(parts.graph)),
              UnorderedElementsAre("Slice1", "Slice2", "Slice3", "Slice6"));
  ExpectAnswersWithoutSubviews(parts.graph);
}

TEST_F(SubviewsTest, SlicesThatAreNoRunOfElements) {
  GraphOfParts parts(4);
  const ValueId strided =
      parts.Emit("Slice", {parts.x},
                 {{"axes", Ints{1}}, {"starts", Ints{0}}, {"ends", Ints{4}}, {"steps", Ints{2}}});
  const ValueId reversed =
      parts.Emit("Slice", {parts.x},
                 {{"axes", Ints{1}}, {"starts", Ints{3}}, {"ends", Ints{1}}, {"steps", Ints{-1}}});
  const ValueId last_axis = parts.Slice(parts.x, 1, 2, 2);
  const ValueId two_axes = parts.Emit(
      "Slice", {parts.x}, {{"axes", Ints{1, 2}}, {"starts", Ints{1, 1}}, {"ends", Ints{2, 2}}});
  const ValueId whole_axis =
      parts.Emit("Slice", {parts.x},
                 {{"axes", Ints{2, 1}}, {"starts", Ints{0, 1}}, {"ends", Ints{kWidth, 3}}});
  const ValueId sum = parts.Emit("Add", {parts.Emit("Add", {strided, reversed}), whole_axis});
  const ValueId other = parts.Emit("Add", {last_axis, two_axes});
  parts.graph.outputs = {parts.Negative(parts.Emit("Multiply", {other, parts.Slice(sum, 0, 1)}))};
  const std::vector<std::string> in_place = InPlaceOf(*Compile(parts.graph));
  EXPECT_THAT(in_place, ElementsAre("Slice4", parts.graph.nodes[8].name));
  ExpectAnswersWithoutSubviews(parts.graph);
}

TEST_F(SubviewsTest, UnderOtherShapes) {
  GraphOfParts parts(4);
  const ValueId flat = parts.Reshape(parts.Square(parts.x), {0, 2, 6});
  const ValueId joined = parts.Concat({flat, parts.Reshape(parts.Negative(parts.x), {0, 2, 6})});
  const ValueId back = parts.Reshape(joined, {0, 8, kWidth});
  const ValueId slice = parts.Reshape(parts.Slice(back, 3, 5), {0, 2 * kWidth});
  parts.graph.outputs = {parts.Negative(slice), parts.Negative(flat)};
  EXPECT_THAT(InPlaceOf(*Compile(parts.graph)), ElementsAre("Concat4", "Slice6"));
  ExpectAnswersWithoutSubviews(parts.graph);
}

TEST_F(SubviewsTest, OutputsOfTheGraph) {
  GraphOfParts parts(4);
  const ValueId piece = parts.Square(parts.x);
  const ValueId output = parts.Negative(parts.x);
  const ValueId slice = parts.Slice(piece, 1, 2);
  const ValueId joined = parts.Concat({piece, output});
  parts.graph.outputs = {joined, output, slice, parts.Negative(slice), joined};
  const auto executable = Compile(parts.graph);
  EXPECT_THAT(InPlaceOf(*executable), ElementsAre());
  EXPECT_EQ(executable->compiled().subviews.size(), 1U);  // piece, in the caller's memory
  ExpectAnswersWithoutSubviews(parts.graph);
}

TEST_F(SubviewsTest, OpenLengths) {
  constexpr std::int64_t kEnd = INT64_MAX;
  GraphOfParts parts{Dim(kLength)};
  const ValueId head = parts.Square(parts.Slice(parts.x, 0, 2));
  const ValueId tail = parts.Negative(parts.Slice(parts.x, -3, kEnd));
  const ValueId middle = parts.Square(parts.Slice(parts.x, 1, -1));
  const ValueId joined = parts.Concat({head, middle, tail});
  const ValueId last = parts.Slice(joined, -1, kEnd);
  parts.graph.outputs = {parts.Negative(last), parts.Square(joined)};
  EXPECT_EQ(InPlaceOf(*Compile(parts.graph)).size(), 5U);
  for (const std::int64_t length : {3, 4, 100}) {
    ExpectAnswersWithoutSubviews(parts.graph, length);
  }
  const absl::Status short_status = Run(Compile(parts.graph), 1, 2).status();
  EXPECT_EQ(short_status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(short_status.message(), HasSubstr("wants at least 3"));
}

TEST_F(SubviewsTest, AStepSaysSo) {
  GraphOfParts parts(4);
  parts.graph.outputs = {
      parts.Negative(parts.Concat({parts.Square(parts.x), parts.Negative(parts.x)}))};
  const std::vector<StepDescription> one = Compile(parts.graph, 1)->steps();
  EXPECT_EQ(one[2].kernel, "in place");
  EXPECT_EQ(one[2].in_place, InPlace::kAlways);
  const std::vector<StepDescription> many = Compile(parts.graph, 2)->steps();
  EXPECT_EQ(many[2].kernel, "portable:concat, or in place for one row");
  EXPECT_EQ(many[2].in_place, InPlace::kOneRow);
  EXPECT_EQ(many[3].in_place, InPlace::kNone);
}

TEST_F(SubviewsTest, ARunNeedsNoMoreMemoryThanTheWhole) {
  GraphOfParts parts(4);
  parts.graph.outputs = {
      parts.Negative(parts.Concat({parts.Square(parts.x), parts.Negative(parts.x)}))};
  const auto executable = Compile(parts.graph, 1);
  const CompiledGraph& compiled = executable->compiled();
  EXPECT_EQ(compiled.arena_values.size(), 1U);
  EXPECT_EQ(compiled.num_slots, 1);
}

TEST_F(SubviewsTest, RunsAllocateNothing) {
  GraphOfParts parts{Dim(kLength)};
  const ValueId slice = parts.Slice(parts.x, 1, -1);
  parts.graph.outputs = {parts.Negative(parts.Concat({parts.Square(slice), parts.x}))};
  const auto executable = Compile(parts.graph);
  Arena arena;
  const auto session = Session::Create(executable, arena).value();
  for (const std::int64_t length : {50, 7}) {
    for (const std::int64_t rows : {1, 4, 9}) {
      const std::vector<Tensor> inputs = Inputs(*executable, rows, length);
      const std::vector<TensorView> in = {inputs[0].view(), inputs[1].view()};
      Tensor output(DataType::kFloat32, {rows, 2 * length - 2, kWidth});
      const MutableTensorView out = output.mutable_view();
      ASSERT_TRUE(session->Run(in, {&out, 1}).ok());
      const long before = testing::allocations;
      ASSERT_TRUE(session->Run(in, {&out, 1}).ok());
      EXPECT_EQ(testing::allocations - before, 0) << rows << " rows, length " << length;
    }
  }
}

// Graphs of slices, joins and sums at random.
TEST_F(SubviewsTest, WhateverTheGraph) {
  std::mt19937 random(5);
  const auto below = [&random](std::size_t limit) { return random() % limit; };
  std::size_t num_in_place = 0;
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(round);
    GraphOfParts parts(4);
    std::vector<ValueId> values = {parts.x};
    while (values.size() < 24) {
      const ValueId a = values[below(values.size())];
      const ValueId b = values[below(values.size())];
      const std::size_t axis = 1 + below(2);
      const std::int64_t size = parts.TypeOf(a).shape[axis].value();
      switch (below(5)) {
        case 0:
          values.push_back(parts.Square(a));
          break;
        case 1:
          values.push_back(parts.Negative(a));
          break;
        case 2: {
          const Shape& other = parts.TypeOf(b).shape;
          if (size + other[axis].value() > 64 ||
              parts.TypeOf(a).shape[3 - axis] != other[3 - axis]) {
            break;
          }
          std::vector<ValueId> pieces = {a, b};
          if (below(3) == 0) pieces.push_back(a);
          values.push_back(parts.Concat(pieces, static_cast<std::int64_t>(axis)));
          break;
        }
        case 3: {
          const auto start = static_cast<std::int64_t>(below(static_cast<std::size_t>(size)));
          const auto length =
              static_cast<std::int64_t>(1 + below(static_cast<std::size_t>(size - start)));
          values.push_back(parts.Slice(a, start, start + length, static_cast<std::int64_t>(axis)));
          break;
        }
        default:
          if (parts.TypeOf(a) == parts.TypeOf(b)) values.push_back(parts.Emit("Add", {a, b}));
      }
    }
    parts.graph.outputs = {values.back()};
    for (std::size_t i = 0; i < 3; ++i) {
      const ValueId output = values[1 + below(values.size() - 1)];
      if (std::ranges::count(parts.graph.outputs, output) == 0) {
        parts.graph.outputs.push_back(output);
      }
    }
    num_in_place += InPlaceOf(*Compile(parts.graph)).size();
    ExpectAnswersWithoutSubviews(parts.graph);
    if (HasFailure()) break;
  }
  EXPECT_GT(num_in_place, 100U);
}

}  // namespace
}  // namespace octet
