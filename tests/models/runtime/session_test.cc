// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/session.h"

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using ::octet::testing::Append;
using ::octet::testing::Counting;
using ::octet::testing::FloatsOf;
using ::octet::testing::FloatTensor;
using ::octet::testing::FloatType;
using ::octet::testing::TinyKernels;
using ::octet::testing::TinyOperators;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Dim kBatch(kRows);

// A graph, compiled, with a session of its own.
struct Model {
  explicit Model(const Graph& graph, const CompileOptions& options = {}) {
    executable = Executable::Compile(graph, operators, TinyKernels(), options).value();
    session = Session::Create(executable, arena).value();
  }

  absl::StatusOr<std::vector<Tensor>> Run(const std::vector<TensorView>& inputs) {
    std::vector<Dims> dims;
    RETURN_IF_ERROR(session->OutputDims(inputs, dims));
    std::vector<Tensor> outputs;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      outputs.emplace_back(executable->outputs()[i].type.data_type, dims[i]);
    }
    std::vector<MutableTensorView> views;
    for (Tensor& output : outputs) views.push_back(output.mutable_view());
    RETURN_IF_ERROR(session->Run(inputs, views));
    return outputs;
  }

  OperatorRegistry operators = TinyOperators();
  Arena arena;
  std::shared_ptr<const Executable> executable;
  std::unique_ptr<Session> session;
};

// y = 4x + x.
Graph FiveTimes() {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({kBatch, 3}));
  const ValueId twice = Append(graph, "Twice", {x}, "twice");
  const ValueId four = Append(graph, "Twice", {twice}, "four");
  const ValueId y = Append(graph, "Sum", {four, x}, "y");
  graph.inputs = {x};
  graph.outputs = {y};
  return graph;
}

TEST(SessionTest, RunsStepsInOrder) {
  Model model(FiveTimes());
  const Tensor x = FloatTensor({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto outputs = model.Run({x.view()});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ((*outputs)[0].dims(), (Dims{2, 3}));
  EXPECT_THAT(FloatsOf((*outputs)[0]), ElementsAre(5, 10, 15, 20, 25, 30));
}

TEST(SessionTest, SplitsMoreRowsThanPlanned) {
  Model model(FiveTimes(), {.max_rows = 4});
  const std::size_t arena_byte_size = model.arena.bytes().size();
  for (const std::int64_t rows : {1, 4, 5, 8, 11}) {
    const Tensor x = Counting({rows, 3});
    const auto outputs = model.Run({x.view()});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (std::size_t i = 0; i < FloatsOf(x).size(); ++i) {
      ASSERT_EQ(FloatsOf((*outputs)[0])[i], 5 * FloatsOf(x)[i]) << rows << " rows, element " << i;
    }
  }
  EXPECT_EQ(model.arena.bytes().size(), arena_byte_size);
}

TEST(SessionTest, RunsSomeRowsAndLeavesTheOthers) {
  Model model(FiveTimes(), {.max_rows = 4});
  const Tensor x = Counting({11, 3});
  const TensorView input = x.view();
  for (const RowRange rows : {RowRange{0, 11}, {0, 1}, {10, 1}, {3, 2}, {1, 9}}) {
    Tensor y(DataType::kFloat32, {11, 3});
    const MutableTensorView output = y.mutable_view();
    ASSERT_TRUE(model.session->RunRows({&input, 1}, {&output, 1}, rows, [] { return false; }).ok());
    for (std::int64_t i = 0; i < 33; ++i) {
      const bool is_of_them = i / 3 >= rows.first && i / 3 < rows.first + rows.count;
      EXPECT_EQ(FloatsOf(y)[static_cast<std::size_t>(i)],
                is_of_them ? 5 * static_cast<float>(i) : 0);
    }
  }
}

TEST(SessionTest, StopsBetweenSteps) {
  Model model(FiveTimes(), {.max_rows = 4});
  const Tensor x = Counting({7, 3});
  const TensorView input = x.view();
  Tensor y(DataType::kFloat32, {7, 3});
  const MutableTensorView output = y.mutable_view();
  // Three steps for four rows, three for the others.
  for (int most = 0; most <= 6; ++most) {
    int asked = 0;
    const absl::Status status = model.session->RunRows({&input, 1}, {&output, 1}, {0, 7},
                                                       [&asked, most] { return asked++ == most; });
    EXPECT_EQ(status.code(), most < 6 ? absl::StatusCode::kCancelled : absl::StatusCode::kOk);
    EXPECT_EQ(asked, std::min(most + 1, 6));
    EXPECT_EQ(FloatsOf(y)[0], most < 3 ? 0 : 5 * FloatsOf(x)[0]);
  }
  EXPECT_EQ(FloatsOf(y).back(), 100);
}

TEST(SessionTest, TakesUnalignedInputs) {
  Model model(FiveTimes(), {.max_rows = 2});
  const Tensor x = Counting({5, 3});
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::vector<std::byte> bytes(x.bytes().size() + shift);
    std::memcpy(bytes.data() + shift, x.bytes().data(), x.bytes().size());
    const auto outputs = model.Run({{DataType::kFloat32, x.dims(), bytes.data() + shift}});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ(FloatsOf((*outputs)[0])[14], 70) << "shift " << shift;
  }
}

TEST(SessionTest, ReinterpretationsShareBytesAndTakeNoStep) {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({kBatch, 2, 2}));
  const ValueId flat_x = Append(graph, "Flatten", {x}, "flat_x");
  const ValueId twice = Append(graph, "Twice", {x}, "twice");
  const ValueId flat = Append(graph, "Flatten", {twice}, "flat");
  const ValueId sum = Append(graph, "Sum", {flat_x, flat}, "sum");
  graph.inputs = {x};
  // An input's bytes, a reinterpreted result, the value behind it, one twice, one that is read on.
  graph.outputs = {flat_x, flat, twice, sum, sum};
  Model model(graph, {.max_rows = 2});
  EXPECT_EQ(model.executable->steps().size(), 2U);
  const Tensor input = Counting({3, 2, 2});
  const auto outputs = model.Run({input.view()});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  const std::vector<float> factors = {1, 2, 2, 3, 3};
  for (std::size_t o = 0; o < factors.size(); ++o) {
    for (std::size_t i = 0; i < 12; ++i) {
      ASSERT_EQ(FloatsOf((*outputs)[o])[i], factors[o] * static_cast<float>(i)) << "output " << o;
    }
  }
  EXPECT_EQ((*outputs)[1].dims(), (Dims{3, 4}));
  EXPECT_EQ((*outputs)[2].dims(), (Dims{3, 2, 2}));
}

TEST(SessionTest, AnOutputMayBeAnInput) {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({kBatch, 2}));
  graph.inputs = {x};
  graph.outputs = {x};
  Model model(graph, {.max_rows = 1});
  const Tensor input = Counting({3, 2});
  const auto outputs = model.Run({input.view()});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(FloatsOf((*outputs)[0]), ElementsAre(0, 1, 2, 3, 4, 5));
}

// Graphs of many lifetimes and chains of rows, against values that are all kept.
TEST(SessionTest, RandomGraphsDoNotOverwriteWhatIsReadLater) {
  for (unsigned seed = 0; seed < 80; ++seed) {
    std::mt19937 random(seed);
    Graph graph;
    // Rows that fit one block, or that take several and a rest.
    const Dims dims = seed < 60 ? Dims{5, 3} : Dims{5, 97, 9};
    Shape shape = ToShape(dims);
    shape[0] = kBatch;
    std::vector<ValueId> ids = {graph.AddValue("x", FloatType(shape))};
    std::map<ValueId, std::vector<float>> wants = {{ids[0], FloatsOf(Counting(dims))}};
    for (int n = 0; n < 25; ++n) {
      const auto pick = [&] {
        // Mostly recent values, so that numbers stay small and lifetimes differ.
        const std::size_t back = std::min<std::size_t>(random() % 6, ids.size() - 1);
        return ids[ids.size() - 1 - back];
      };
      const ValueId a = pick();
      const ValueId b = pick();
      const std::string name = "n" + std::to_string(n);
      if (random() % (seed % 2 == 0 ? 2 : 6) == 0) {
        const ValueId y = Append(graph, "Halves", {a}, name);
        for (const float v : wants[a]) {
          wants[y].push_back(v / 2);
          wants[y + 1].push_back(-v / 2);
        }
        ids.push_back(y);
        if (random() % 2 == 0) ids.push_back(y + 1);
      } else {
        const ValueId y = Append(graph, "Sum", {a, b}, name);
        for (std::size_t i = 0; i < wants[a].size(); ++i) {
          wants[y].push_back(wants[a][i] + wants[b][i]);
        }
        ids.push_back(y);
      }
    }
    graph.inputs = {ids[0]};
    graph.outputs = {ids.back(), ids[ids.size() / 2], ids[1]};
    Model model(graph, {.max_rows = 2});
    const Tensor input = Counting(dims);
    const auto outputs = model.Run({input.view()});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (std::size_t o = 0; o < 3; ++o) {
      ASSERT_EQ(FloatsOf((*outputs)[o]), wants[graph.outputs[o]]) << "seed " << seed;
    }
    EXPECT_LT(model.executable->compiled().num_slots, 14) << "seed " << seed;
  }
}

// [rows, length] -> [rows, length - 2].
Graph Cropped() {
  Graph graph;
  graph.symbol_names = {"rows", "length"};
  const ValueId x = graph.AddValue("x", FloatType({kBatch, Dim(Symbol{1})}));
  const ValueId twice = Append(graph, "Twice", {x}, "twice");
  const ValueId cropped = Append(graph, "Crop", {twice}, "cropped");
  const ValueId y = Append(graph, "Crop", {cropped}, "y");
  graph.inputs = {x};
  graph.outputs = {y};
  return graph;
}

TEST(SessionTest, LengthsVaryFromRunToRun) {
  Model model(Cropped(), {.max_rows = 2});
  for (const std::int64_t length : {5, 3, 40, 2, 5}) {
    const Tensor x = Counting({3, length});
    const auto outputs = model.Run({x.view()});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_EQ((*outputs)[0].dims(), (Dims{3, length - 2}));
    for (std::int64_t row = 0; row < 3; ++row) {
      for (std::int64_t i = 0; i < length - 2; ++i) {
        ASSERT_EQ(FloatsOf((*outputs)[0])[static_cast<std::size_t>(row * (length - 2) + i)],
                  2 * static_cast<float>(row * length + i + 2));
      }
    }
  }
}

TEST(SessionTest, RefusesASequenceThatIsTooShort) {
  Model model(Cropped());
  const Tensor x = Counting({3, 1});
  const auto outputs = model.Run({x.view()});
  EXPECT_EQ(outputs.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(outputs.status().message()), HasSubstr("too short"));
}

TEST(SessionTest, SplitsRowsThatTheLargestArenaHasNoRoomFor) {
  // A row of length 100 takes 400 bytes in each of x, twice, cropped and the scratch.
  Model model(Cropped(), {.max_rows = 64, .max_arena_byte_size = 8192});
  const Tensor x = Counting({20, 100});
  const auto outputs = model.Run({x.view()});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(FloatsOf((*outputs)[0]).back(), 2 * 1999);
  EXPECT_LE(model.arena.bytes().size(), 8192U);
}

TEST(SessionTest, RefusesALengthBeyondTheLargestArena) {
  Model model(Cropped(), {.max_rows = 64, .max_arena_byte_size = 8192});
  const std::size_t before = model.arena.bytes().size();
  for (const std::int64_t length : {std::int64_t{3000}, (std::int64_t{1} << 31) - 1}) {
    const Dims dims = {1, length};
    // Nothing may be read or written: refused before.
    const TensorView input{DataType::kFloat32, dims, nullptr};
    const MutableTensorView output{DataType::kFloat32, dims, nullptr};
    const absl::Status status = model.session->Run({&input, 1}, {&output, 1});
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("at most 8192"));
  }
  EXPECT_EQ(model.arena.bytes().size(), before);
  const Tensor x = Counting({1, 10});
  EXPECT_TRUE(model.Run({x.view()}).ok());
}

TEST(SessionTest, AModelThatNeverFitsIsRefusedAtOnce) {
  const OperatorRegistry operators = TinyOperators();
  const auto executable =
      Executable::Compile(FiveTimes(), operators, TinyKernels(), {.max_arena_byte_size = 100});
  ASSERT_TRUE(executable.ok());
  Arena arena;
  EXPECT_EQ(Session::Create(*executable, arena).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(SessionTest, SessionsShareAnArena) {
  Model small(FiveTimes(), {.max_rows = 1});
  Arena& arena = small.arena;
  const OperatorRegistry operators = TinyOperators();
  const auto executable =
      Executable::Compile(Cropped(), operators, TinyKernels(), {.max_rows = 8}).value();
  const auto large = Session::Create(executable, arena).value();
  const Tensor long_input = Counting({8, 500});
  Tensor output(DataType::kFloat32, {8, 498});
  const TensorView input_view = long_input.view();
  const MutableTensorView output_view = output.mutable_view();
  ASSERT_TRUE(large->Run({&input_view, 1}, {&output_view, 1}).ok());  // the arena moves
  const Tensor x = FloatTensor({1, 3}, {1, 2, 3});
  const auto outputs = small.Run({x.view()});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(FloatsOf((*outputs)[0]), ElementsAre(5, 10, 15));
}

TEST(SessionTest, RefusesAWrongNumberOfTensors) {
  Model model(FiveTimes());
  const Tensor x = Counting({1, 3});
  const TensorView view = x.view();
  EXPECT_EQ(model.session->Run({}, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(model.session->Run({&view, 1}, {}).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
