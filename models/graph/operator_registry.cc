// SPDX-License-Identifier: Apache-2.0
#include "models/graph/operator_registry.h"

#include <cstdlib>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace octet {

void OperatorRegistry::Add(std::unique_ptr<const Operator> op) {
  std::string name(op->name());
  if (!operators_.emplace(name, std::move(op)).second) {
    std::cerr << "operator \"" << name << "\" is registered twice\n";
    std::abort();
  }
}

absl::StatusOr<const Operator*> OperatorRegistry::Find(absl::string_view name) const {
  const auto found = operators_.find(std::string(name));
  if (found != operators_.end()) return found->second.get();
  return absl::UnimplementedError(
      absl::StrCat("no operator \"", name, "\"; there are ", absl::StrJoin(names(), ", ")));
}

std::vector<std::string> OperatorRegistry::names() const {
  std::vector<std::string> names;
  for (const auto& [name, op] : operators_) names.push_back(name);
  return names;
}

}  // namespace octet
