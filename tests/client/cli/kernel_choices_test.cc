// SPDX-License-Identifier: Apache-2.0
#include "client/cli/kernel_choices.h"

#include "gtest/gtest.h"

namespace octet::cli {
namespace {

const KernelChoice kMeasured = {.implementation = "rows",
                                .batch_sizes = {1, 16},
                                .times = {{"windows", {20.04, 300}}, {"rows", {15, 250}}}};

TEST(ImplementationTextTest, SaysWhatRunsAndWhy) {
  EXPECT_EQ(ImplementationText({.layer = "layer", .name = "loops", .fitting = {"loops"}}),
            "loops (only one)");
  EXPECT_EQ(ImplementationText(
                {.layer = "layer", .name = "windows", .fitting = {"windows", "rows", "long_rows"}}),
            "windows (rule; fits too: rows, long_rows)");
  EXPECT_EQ(ImplementationText({.layer = "layer",
                                .name = "rows",
                                .fitting = {"windows", "rows"},
                                .measured = kMeasured}),
            "rows (measured at batch 1,16: windows 20.0,300.0; rows 15.0,250.0 us)");
}

TEST(ImplementationJsonTest, HasTheSame) {
  EXPECT_EQ(ImplementationJson({.layer = "layer", .name = "loops", .fitting = {"loops"}}),
            nlohmann::ordered_json::parse(
                R"({"name": "loops", "chosen_by": "rule", "layer": "layer",
                    "fitting": ["loops"]})"));
  EXPECT_EQ(ImplementationJson({.layer = "layer",
                                .name = "rows",
                                .fitting = {"windows", "rows"},
                                .measured = kMeasured}),
            nlohmann::ordered_json::parse(
                R"({"name": "rows", "chosen_by": "measurement", "layer": "layer",
                    "fitting": ["windows", "rows"], "batch_sizes": [1, 16],
                    "us": {"windows": [20.04, 300.0], "rows": [15.0, 250.0]}})"));
}

TEST(ReadChoicesTest, NoPathIsNoChoices) {
  EXPECT_EQ(ReadChoices(""), nullptr);
  ASSERT_NE(ReadChoices("no/such/file"), nullptr);
  EXPECT_TRUE(ReadChoices("no/such/file")->entries().empty());
}

}  // namespace
}  // namespace octet::cli
