// SPDX-License-Identifier: Apache-2.0
// Names for what a rewrite adds to a graph.

#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

#include "models/graph/graph.h"

namespace octet {

// Gives names that nothing has yet, each in the time that its length takes: a pass may ask for one
// at every node of a graph, however it is named.
// Thread safety: one thread at a time.
class UniqueNames {
 public:
  // What these values, or nodes, are called is taken. What is added to them later under a name that
  // Take did not give must not have one that it might.
  explicit UniqueNames(std::span<const Value> values);
  explicit UniqueNames(std::span<const Node> nodes);

  // `wanted`, or where that is taken, with the first number behind it that makes it unique:
  // `wanted:2`. It is taken from then on.
  std::string Take(const std::string& wanted);

 private:
  absl::flat_hash_set<std::string> taken_;
  // Of a wanted name, the first number that was not tried yet; all before it are taken for good.
  absl::flat_hash_map<std::string, std::int64_t> next_;
};

}  // namespace octet
