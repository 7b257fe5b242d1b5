// SPDX-License-Identifier: Apache-2.0
// The operators by name.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/graph/operator.h"

namespace octet {

// Built once in main() by BuiltInOperators(), then passed by const reference: there is no global
// registry and nothing registers itself before main().
// Thread safety: const methods from any thread.
class OperatorRegistry {
 public:
  // Adds `op` under its own name. A name taken twice is a programming error and ends the program.
  void Add(std::unique_ptr<const Operator> op);

  // The operator called `name`, owned by the registry.
  // Returns UNIMPLEMENTED, listing the known names, if there is none.
  [[nodiscard]] absl::StatusOr<const Operator*> Find(absl::string_view name) const;

  // All names, in alphabetical order.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::map<std::string, std::unique_ptr<const Operator>> operators_;
};

}  // namespace octet
