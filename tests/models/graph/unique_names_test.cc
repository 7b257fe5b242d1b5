// SPDX-License-Identifier: Apache-2.0
#include "models/graph/unique_names.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

Graph GraphWithValues(const std::vector<std::string>& names) {
  Graph graph;
  for (const std::string& name : names) graph.AddValue(name, {});
  return graph;
}

TEST(UniqueNamesTest, AFreeNameIsGivenAsItIs) {
  const Graph graph = GraphWithValues({"x"});
  EXPECT_EQ(UniqueNames(graph.values).Take("y"), "y");
}

TEST(UniqueNamesTest, ATakenOneGetsTheFirstNumberThatIsFree) {
  const Graph graph = GraphWithValues({"x", "x:2", "x:4"});
  UniqueNames names(graph.values);
  EXPECT_EQ(names.Take("x"), "x:3");
  EXPECT_EQ(names.Take("x"), "x:5");
  EXPECT_EQ(names.Take("x:2"), "x:2:2");
}

TEST(UniqueNamesTest, WhatWasGivenIsTaken) {
  UniqueNames names(Graph{}.values);
  std::set<std::string> given;
  for (int i = 0; i < 10; ++i) {
    for (const char* wanted : {"x", "x:2", "x:3:2", "y"}) {
      const std::string name = names.Take(wanted);
      EXPECT_TRUE(given.insert(name).second) << name;
    }
  }
}

TEST(UniqueNamesTest, NamesOfNodesAreNotThoseOfValues) {
  Graph graph = GraphWithValues({"x"});
  graph.nodes.push_back({"n", "Identity", {}, {}, {}});
  EXPECT_EQ(UniqueNames(graph.nodes).Take("x"), "x");
  EXPECT_EQ(UniqueNames(graph.nodes).Take("n"), "n:2");
}

}  // namespace
}  // namespace octet
