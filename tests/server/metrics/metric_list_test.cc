// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/metric_list.h"

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

// The cells of each row of the table in docs/metrics.md, without the code marks.
std::vector<std::vector<std::string>> DocumentedRows() {
  std::ifstream file(OCTET_SOURCE_DIR "/docs/metrics.md");
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, "| `")) continue;
    std::vector<std::string> cells;
    for (absl::string_view cell : absl::StrSplit(line, '|')) {
      std::string text(absl::StripAsciiWhitespace(cell));
      std::erase(text, '`');
      cells.push_back(text);
    }
    rows.push_back({cells.begin() + 1, cells.end() - 1});
  }
  return rows;
}

TEST(MetricListTest, DocsHaveOneRowForEachMetricInItsOrder) {
  const std::vector<std::vector<std::string>> rows = DocumentedRows();
  ASSERT_EQ(rows.size(), kNumMetrics);
  for (std::size_t i = 0; i < kNumMetrics; ++i) {
    const MetricDescription& metric = AllMetrics()[i];
    ASSERT_EQ(rows[i].size(), 4U) << metric.name;
    EXPECT_EQ(rows[i][0], metric.name);
    EXPECT_EQ(rows[i][1], MetricTypeName(metric.type)) << metric.name;
    EXPECT_EQ(rows[i][2], metric.labels) << metric.name;
    EXPECT_EQ(rows[i][3], metric.help) << metric.name;
  }
}

TEST(MetricListTest, NamesFollowTheConventions) {
  std::set<std::string> names;
  for (const MetricDescription& metric : AllMetrics()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name << " is listed twice";
    EXPECT_EQ(absl::EndsWith(metric.name, "_total"), metric.type == MetricType::kCounter)
        << metric.name;
    EXPECT_TRUE(absl::StartsWith(metric.name, "octet_") ||
                absl::StartsWith(metric.name, "process_"))
        << metric.name;
  }
}

}  // namespace
}  // namespace octet
