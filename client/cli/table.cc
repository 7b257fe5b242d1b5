// SPDX-License-Identifier: Apache-2.0
#include "client/cli/table.h"

#include <algorithm>
#include <cstddef>

namespace octet::cli {

std::string Table::ToString() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string padding(widths[i] - rows_[r][i].size(), ' ');
      if (i > 0) text += "  " + padding;
      text += rows_[r][i];
      if (i == 0) text += padding;
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    text += '\n';
    if (r == 0) {
      for (std::size_t i = 0; i < widths.size(); ++i) {
        text += (i > 0 ? "  " : "") + std::string(widths[i], '-');
      }
      text += '\n';
    }
  }
  return text;
}

}  // namespace octet::cli
