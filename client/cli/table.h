// SPDX-License-Identifier: Apache-2.0
// Tables for a terminal.

#pragma once

#include <string>
#include <vector>

namespace octet::cli {

// Rows of cells under a header, columns aligned: the first to the left, the others to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}

  // `cells` has as many cells as the header.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  [[nodiscard]] std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace octet::cli
