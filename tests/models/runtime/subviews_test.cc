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

// A graph over "x" [rows, length, kWidth], node by node.
class GraphOfParts {
 public:
  explicit GraphOfParts(const Dim& length) {
    graph.symbol_names.push_back("length");
    // A graph's symbols all come from its inputs.
    const ValueId open = graph.AddValue(
        "open", {DataType::kFloat32, {Dim(kRows), Dim(kLength), Dim(1)}, std::nullopt});
    x = graph.AddValue("x", {DataType::kFloat32, {Dim(kRows), length, kWidth}, std::nullopt});
    graph.inputs = {x, open};
  }

  ValueId Emit(const std::string& op, std::vector<ValueId> inputs,
               std::map<std::string, Attribute> attributes = {}) {
    const std::string name = op + std::to_string(graph.nodes.size());
    const auto output = static_cast<ValueId>(graph.values.size());
    Node node{name, op, std::move(inputs), {output}, std::move(attributes)};
    std::vector<TensorType> types;
    for (const ValueId id : node.inputs) types.push_back(TypeOf(id));
    const std::vector<const ConstantTensor*> constants(types.size(), nullptr);
    const auto inferred = (*operators_.Find(op))->InferOutputs(node, types, constants);
    EXPECT_TRUE(inferred.ok()) << inferred.status();
    graph.AddValue(name, inferred->front());
    graph.nodes.push_back(std::move(node));
    return output;
  }
  // Something to compute.
  ValueId Square(ValueId id) { return Emit("Activation", {id}, {{"activation", "square"}}); }
  ValueId Negative(ValueId id) { return Emit("Activation", {id}, {{"activation", "negative"}}); }
  ValueId Concat(std::vector<ValueId> ids) {
    return Emit("Concat", std::move(ids), {{"axis", std::int64_t{1}}});
  }
  ValueId Slice(ValueId id, std::int64_t start, std::int64_t end, std::int64_t axis = 1) {
    return Emit("Slice", {id},
                {{"axes", Ints{axis}}, {"starts", Ints{start}}, {"ends", Ints{end}}});
  }
  ValueId Reshape(ValueId id, Ints shape) {
    return Emit("Reshape", {id}, {{"shape", std::move(shape)}});
  }
  [[nodiscard]] const TensorType& TypeOf(ValueId id) const {
    return graph.values[static_cast<std::size_t>(id)].type;
  }

  Graph graph;
  ValueId x;

 private:
  const OperatorRegistry operators_ = BuiltInOperators();
};

class SubviewsTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Executable> Compile(Graph graph, std::int64_t max_rows = 4) const {
    auto executable = Executable::Compile(
        std::move(graph), operators_, *kernels::FindKernelSet("reference"), {.max_rows = max_rows});
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
    for (const Dims& output_dims : dims) outputs.emplace_back(DataType::kFloat32, output_dims);
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
};

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
  EXPECT_EQ(many[3].in_place, InPlace::kNever);
}

TEST_F(SubviewsTest, ARunNeedsNoMoreMemoryThanTheWhole) {
  GraphOfParts parts(4);
  parts.graph.outputs = {
      parts.Negative(parts.Concat({parts.Square(parts.x), parts.Negative(parts.x)}))};
  const CompiledGraph& compiled = Compile(parts.graph, 1)->compiled();
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
  for (int round = 0; round < 150; ++round) {
    SCOPED_TRACE(round);
    GraphOfParts parts(4);
    std::vector<ValueId> values = {parts.x};
    while (values.size() < 24) {
      const ValueId a = values[below(values.size())];
      const ValueId b = values[below(values.size())];
      const std::int64_t size = parts.TypeOf(a).shape[1].value();
      switch (below(5)) {
        case 0:
          values.push_back(parts.Square(a));
          break;
        case 1:
          values.push_back(parts.Negative(a));
          break;
        case 2: {
          if (size + parts.TypeOf(b).shape[1].value() > 64) break;
          std::vector<ValueId> pieces = {a, b};
          if (below(3) == 0) pieces.push_back(values.front());
          values.push_back(parts.Concat(pieces));
          break;
        }
        case 3: {
          const auto start = static_cast<std::int64_t>(below(static_cast<std::size_t>(size)));
          const auto length =
              static_cast<std::int64_t>(1 + below(static_cast<std::size_t>(size - start)));
          values.push_back(parts.Slice(a, start, start + length));
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
  EXPECT_GT(num_in_place, 150U);
}

}  // namespace
}  // namespace octet
