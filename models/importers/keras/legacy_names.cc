// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/legacy_names.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace octet::keras {

LegacyNames::LegacyNames(std::vector<std::string> names) : names_(std::move(names)) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    std::vector<std::string> parts = absl::StrSplit(names_[i], '/');
    parts.pop_back();
    // The two of a Bidirectional layer, whose own layer's name follows.
    for (const char* const prefix : {"forward_", "backward_"}) {
      const bool has = std::any_of(parts.begin(), parts.end(), [prefix](const std::string& part) {
        return absl::StartsWith(part, prefix);
      });
      if (has) parts.emplace_back(prefix);
    }
    for (const std::string& part : std::set<std::string>(parts.begin(), parts.end())) {
      by_scope_[part].push_back(i);
    }
  }
}

absl::StatusOr<LegacyNames> LegacyNames::Read(const H5File& file, const std::string& path) {
  absl::StatusOr<std::vector<std::string>> names = file.ReadStrings(path, "weight_names");
  if (names.ok()) return LegacyNames(*std::move(names));
  std::vector<std::string> all;
  for (int i = 0;; ++i) {
    const auto part = file.ReadStrings(path, absl::StrCat("weight_names", i));
    // An empty part would say nothing, and there may be any number of them.
    if (!part.ok() || part->empty()) break;
    all.insert(all.end(), part->begin(), part->end());
  }
  if (all.empty()) return names.status();
  return LegacyNames(std::move(all));
}

LegacyNames::Indices LegacyNames::IndicesWithin(const std::vector<Scope>& scopes,
                                                bool required_only) const {
  std::vector<const Indices*> lists;
  for (const Scope& scope : scopes) {
    if (required_only && !scope.is_required) continue;
    const auto found = by_scope_.find(scope.name);
    if (found != by_scope_.end()) {
      lists.push_back(&found->second);
    } else if (scope.is_required) {
      return {};
    }
  }
  if (lists.empty()) {
    Indices all(names_.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
  }
  // The shortest list is looked up in the others.
  std::swap(lists.front(), *std::min_element(lists.begin(), lists.end(), [](auto* a, auto* b) {
              return a->size() < b->size();
            }));
  Indices common;
  for (const std::size_t index : *lists.front()) {
    const bool is_in_all = std::all_of(lists.begin(), lists.end(), [index](const Indices* list) {
      return std::binary_search(list->begin(), list->end(), index);
    });
    if (is_in_all) common.push_back(index);
  }
  return common;
}

std::vector<std::string> LegacyNames::Within(const std::vector<Scope>& scopes) const {
  Indices indices = IndicesWithin(scopes, false);
  if (indices.empty()) indices = IndicesWithin(scopes, true);
  std::vector<std::string> within;
  within.reserve(indices.size());
  for (const std::size_t index : indices) within.push_back(names_[index]);
  return within;
}

}  // namespace octet::keras
