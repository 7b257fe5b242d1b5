// SPDX-License-Identifier: Apache-2.0
// A run allocates nothing.

#include <vector>

#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/operators/operators.h"
#include "models/runtime/session.h"
#include "tests/support/count_allocations.h"
#include "tests/support/small_network.h"
#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using ::octet::testing::allocations;
using ::octet::testing::Append;
using ::octet::testing::Counting;
using ::octet::testing::FloatType;

Graph LengthGraph() {
  Graph graph;
  graph.symbol_names = {"rows", "length"};
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), Dim(Symbol{1})}));
  const ValueId twice = Append(graph, "Twice", {x}, "twice");
  const ValueId cropped = Append(graph, "Crop", {twice}, "cropped");
  const ValueId y = Append(graph, "Twice", {cropped}, "y");
  graph.inputs = {x};
  graph.outputs = {y};
  return graph;
}

class SessionAllocationTest : public ::testing::Test {
 protected:
  // How often a run of these dimensions allocates.
  long CountRun(std::int64_t rows, std::int64_t length, std::size_t shift = 0) {
    const Tensor x = Counting({rows, length});
    std::vector<std::byte> bytes(x.bytes().size() + shift);
    std::copy(x.bytes().begin(), x.bytes().end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(shift));
    const TensorView input{DataType::kFloat32, x.dims(), bytes.data() + shift};
    Tensor y(DataType::kFloat32, {rows, length - 1});
    const MutableTensorView output = y.mutable_view();
    output_dims_.resize(1);
    output_dims_[0].reserve(2);
    const long before = allocations;
    EXPECT_TRUE(session_->OutputDims({&input, 1}, output_dims_).ok());
    EXPECT_TRUE(session_->Run({&input, 1}, {&output, 1}).ok());
    const long counted = allocations - before;
    EXPECT_EQ(y.as<float>().back(), 4 * static_cast<float>(rows * length - 1));
    return counted;
  }

  OperatorRegistry operators_ = testing::TinyOperators();
  std::shared_ptr<const Executable> executable_ =
      Executable::Compile(LengthGraph(), operators_, testing::TinyKernels(), {.max_rows = 8})
          .value();
  Arena arena_;
  std::unique_ptr<Session> session_ = Session::Create(executable_, arena_).value();
  std::vector<Dims> output_dims_;
};

TEST_F(SessionAllocationTest, TheCounterCounts) {
  const long before = allocations;
  const Tensor tensor(DataType::kFloat32, {3});
  EXPECT_GT(allocations, before);
}

TEST_F(SessionAllocationTest, OnlyALongerSequenceAllocates) {
  EXPECT_EQ(CountRun(1, 100), 1);  // the arena, for as many rows as there may be
  EXPECT_EQ(CountRun(1, 100), 0);
  EXPECT_EQ(CountRun(8, 100), 0);    // more rows
  EXPECT_EQ(CountRun(27, 100), 0);   // more than max_rows
  EXPECT_EQ(CountRun(3, 20), 0);     // shorter
  EXPECT_EQ(CountRun(8, 99, 1), 0);  // unaligned
  EXPECT_EQ(CountRun(1, 200), 1);
  EXPECT_EQ(CountRun(64, 200), 0);
}

TEST_F(SessionAllocationTest, RowsOfABatchAllocateNothingEvenWhereTheyStop) {
  ASSERT_EQ(CountRun(1, 100), 1);
  const Tensor x = Counting({27, 100});
  Tensor y(DataType::kFloat32, {27, 99});
  const TensorView input = x.view();
  const MutableTensorView output = y.mutable_view();
  const long before = allocations;
  for (const bool stops : {false, true}) {
    for (const RowRange rows : {RowRange{0, 9}, {9, 9}, {18, 9}, {26, 1}}) {
      const absl::Status status =
          session_->RunRows({&input, 1}, {&output, 1}, rows, [stops] { return stops; });
      EXPECT_EQ(absl::IsCancelled(status), stops);
    }
  }
  EXPECT_EQ(allocations - before, 0);
  EXPECT_EQ(y.as<float>().back(), 4 * 2699);
}

TEST(SessionAllocationOfKernelsTest, RealOperatorsAllocateNothingEither) {
  const OperatorRegistry operators = BuiltInOperators();
  for (const kernels::KernelSet* set : kernels::AllKernelSets()) {
    if (!set->runs_here()) continue;
    kernels::PrepareThread();
    const auto executable =
        Executable::Compile(testing::SmallNetwork().graph, operators, *set, {.max_rows = 4})
            .value();
    Arena arena;
    const auto session = Session::Create(executable, arena).value();
    for (const std::int64_t rows : {1, 3, 4, 9}) {
      const Tensor images = testing::SmallImages(rows);
      const TensorView input = images.view();
      Tensor output(DataType::kFloat32, {rows, 10});
      const MutableTensorView view = output.mutable_view();
      // oneDNN may fill in what is its own when a thread first runs a primitive.
      ASSERT_TRUE(session->Run({&input, 1}, {&view, 1}).ok());
      const long before = allocations;
      ASSERT_TRUE(session->Run({&input, 1}, {&view, 1}).ok());
      EXPECT_EQ(allocations - before, 0) << set->name << ", " << rows << " rows";
    }
  }
}

TEST(SessionAllocationOfKernelsTest, ConvolutionsOfAnOpenLengthAllocateNothingEither) {
  const OperatorRegistry operators = BuiltInOperators();
  for (const kernels::KernelSet* set : kernels::AllKernelSets()) {
    if (!set->runs_here()) continue;
    kernels::PrepareThread();
    const auto executable =
        Executable::Compile(testing::OpenSequenceNetwork(), operators, *set, {.max_rows = 4})
            .value();
    Arena arena;
    const auto session = Session::Create(executable, arena).value();
    long wanted = 1;  // the arena, for the longest of all
    for (const std::int64_t length : {90, 90, 5, 33}) {
      const Tensor sequence = Counting({6, length, 1, 4});
      const TensorView input = sequence.view();
      Tensor output(DataType::kFloat32, {6, 1, 6});
      const MutableTensorView view = output.mutable_view();
      const long before = allocations;
      ASSERT_TRUE(session->Run({&input, 1}, {&view, 1}).ok());
      EXPECT_EQ(allocations - before, wanted) << set->name << ", length " << length;
      wanted = 0;
    }
  }
}

}  // namespace
}  // namespace octet
