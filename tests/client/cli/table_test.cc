// SPDX-License-Identifier: Apache-2.0
#include "client/cli/table.h"

#include "gtest/gtest.h"

namespace octet::cli {
namespace {

TEST(TableTest, TheFirstColumnIsAlignedLeftAndTheOthersRight) {
  Table table({"name", "us"});
  table.AddRow({"a", "1.5"});
  table.AddRow({"longer", "1000.0"});
  EXPECT_EQ(table.ToString(),
            "name        us\n"
            "------  ------\n"
            "a          1.5\n"
            "longer  1000.0\n");
}

TEST(TableTest, AHeaderAloneIsATable) {
  EXPECT_EQ(Table({"a", "bc"}).ToString(), "a  bc\n-  --\n");
}

TEST(TableTest, NoRowEndsInSpaces) {
  Table table({"a", "b"});
  table.AddRow({"x", ""});
  table.AddRow({"", ""});
  EXPECT_EQ(table.ToString(), "a  b\n-  -\nx\n\n");
  EXPECT_EQ(Table({""}).ToString(), "\n\n");
}

}  // namespace
}  // namespace octet::cli
