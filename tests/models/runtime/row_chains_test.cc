// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/row_chains.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/runtime/executable.h"
#include "models/runtime/session.h"
#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using ::octet::testing::Append;
using ::octet::testing::FloatType;
using ::octet::testing::TinyKernels;
using ::octet::testing::TinyOperators;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<RowChain> ChainsOf(Graph graph, const std::vector<ValueId>& outputs) {
  graph.inputs = {0};
  graph.outputs = outputs;
  const OperatorRegistry operators = TinyOperators();
  return Executable::Compile(graph, operators, TinyKernels()).value()->compiled().chains;
}

// The values of a chain that lie in the arena one block at a time.
std::vector<ValueId> LocalsOf(const RowChain& chain) {
  std::vector<ValueId> locals;
  for (const RowValue& value : chain.values) {
    if (value.is_local) locals.push_back(value.value);
  }
  return locals;
}

Graph WithInput(Shape shape) {
  Graph graph;
  graph.AddValue("x", FloatType(std::move(shape)));
  return graph;
}

TEST(RowChainsTest, NeighboursThatPassRowsOnAreAChain) {
  Graph graph = WithInput({Dim(kRows), 7, 3});
  const ValueId a = Append(graph, "Twice", {0}, "a");
  const ValueId b = Append(graph, "Twice", {a}, "b");
  const ValueId y = Append(graph, "Sum", {b, 0}, "y");
  const auto chains = ChainsOf(graph, {y});
  ASSERT_EQ(chains.size(), 1U);
  EXPECT_EQ(chains[0].first_step, 0);
  EXPECT_EQ(chains[0].end_step, 3);
  EXPECT_EQ(chains[0].num_row_dims, 2U);
  EXPECT_EQ(chains[0].values.size(), 4U);
  EXPECT_THAT(LocalsOf(chains[0]), ElementsAre(a, b));
}

TEST(RowChainsTest, WhatOthersReadIsNotLocal) {
  Graph graph = WithInput({Dim(kRows), 3});
  const ValueId early = Append(graph, "Twice", {0}, "early");
  const ValueId a = Append(graph, "Twice", {early}, "a");
  const ValueId b = Append(graph, "Twice", {a}, "b");
  const ValueId halves = Append(graph, "Halves", {b}, "halves");  // ends the chain
  const ValueId y = Append(graph, "Sum", {halves, a}, "y");
  const auto chains = ChainsOf(graph, {y, early});
  ASSERT_EQ(chains.size(), 1U);  // the last step is alone
  EXPECT_EQ(chains[0].end_step, 3);
  EXPECT_THAT(LocalsOf(chains[0]), IsEmpty());
}

TEST(RowChainsTest, StepsThatPassNothingOnAreNone) {
  Graph graph = WithInput({Dim(kRows), 3});
  const ValueId a = Append(graph, "Twice", {0}, "a");
  const ValueId b = Append(graph, "Twice", {0}, "b");
  EXPECT_THAT(ChainsOf(graph, {a, b}), IsEmpty());
}

TEST(RowChainsTest, OtherRowsEndAChain) {
  Graph graph = WithInput({Dim(kRows), 4, 3});
  const ValueId a = Append(graph, "Twice", {0}, "a");
  const ValueId flat = Append(graph, "Flatten", {a}, "flat");  // [rows, 12]
  const ValueId b = Append(graph, "Twice", {flat}, "b");
  const ValueId c = Append(graph, "Twice", {b}, "c");
  const auto chains = ChainsOf(graph, {c});
  ASSERT_EQ(chains.size(), 1U);
  EXPECT_EQ(chains[0].first_step, 1);
  EXPECT_EQ(chains[0].num_row_dims, 1U);
  EXPECT_THAT(LocalsOf(chains[0]), ElementsAre(b));
}

TEST(RowChainsTest, AVectorHasNoRows) {
  Graph graph = WithInput({Dim(kRows)});
  const ValueId a = Append(graph, "Twice", {0}, "a");
  const ValueId b = Append(graph, "Twice", {a}, "b");
  EXPECT_THAT(ChainsOf(graph, {b}), IsEmpty());
}

TEST(RowChainsTest, LocalValuesTakeABlockOfTheArena) {
  Graph graph = WithInput({Dim(kRows), 100000, 3});
  ValueId last = 0;
  for (int i = 0; i < 6; ++i) last = Append(graph, "Twice", {last}, "n" + std::to_string(i));
  graph.inputs = {0};
  graph.outputs = {last};
  const OperatorRegistry operators = TinyOperators();
  const auto executable = Executable::Compile(graph, operators, TinyKernels(), {.max_rows = 4});
  Arena arena;
  const auto session = Session::Create(*executable, arena);
  ASSERT_TRUE(session.ok()) << session.status();
  // Room for an input that lies unaligned, and little else.
  EXPECT_LT(arena.bytes().size(), 4U * 100000 * 3 * sizeof(float) + (1U << 17));
}

TEST(RowChainsTest, ABlockIsNeverEmpty) {
  EXPECT_EQ(RowsPerBlock(std::size_t{1} << 40), 1);
  EXPECT_GT(RowsPerBlock(0), 1);
  EXPECT_GT(RowsPerBlock(100), RowsPerBlock(1000));
}

}  // namespace
}  // namespace octet
