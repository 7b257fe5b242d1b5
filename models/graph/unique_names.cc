// SPDX-License-Identifier: Apache-2.0
#include "models/graph/unique_names.h"

#include "absl/strings/str_cat.h"

namespace octet {

UniqueNames::UniqueNames(std::span<const Value> values) {
  for (const Value& value : values) taken_.insert(value.name);
}

UniqueNames::UniqueNames(std::span<const Node> nodes) {
  for (const Node& node : nodes) taken_.insert(node.name);
}

std::string UniqueNames::Take(const std::string& wanted) {
  if (taken_.insert(wanted).second) return wanted;
  std::int64_t& number = next_.try_emplace(wanted, 2).first->second;
  std::string name;
  do {
    name = absl::StrCat(wanted, ":", number++);
  } while (!taken_.insert(name).second);
  return name;
}

}  // namespace octet
