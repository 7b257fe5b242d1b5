// SPDX-License-Identifier: Apache-2.0
// The names of variables in the older HDF5 format, where all layers inside of one share its group.

#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/importers/keras/h5_file.h"

namespace octet::keras {

// What the name of a variable holds among its parts in front of the last: "dense" of
// "dense/kernel:0".
struct Scope {
  std::string name;         // "forward_": what a part begins with
  bool is_required = true;  // a model does not always give its name to its layers' variables
};

// The names in one group, findable by scope: a model of many layers has as many names, and looks
// through them for each layer.
class LegacyNames {
 public:
  explicit LegacyNames(std::vector<std::string> names);
  // Those of the group at `path`, in its attribute "weight_names". A list that is too long for one
  // attribute is in several.
  static absl::StatusOr<LegacyNames> Read(const H5File& file, const std::string& path);

  // The names with all scopes among their parts, in order; with the required ones alone where none
  // has all.
  [[nodiscard]] std::vector<std::string> Within(const std::vector<Scope>& scopes) const;

 private:
  using Indices = std::vector<std::size_t>;

  [[nodiscard]] Indices IndicesWithin(const std::vector<Scope>& scopes, bool required_only) const;

  std::vector<std::string> names_;
  std::map<std::string, Indices> by_scope_;  // ascending
};

}  // namespace octet::keras
