// SPDX-License-Identifier: Apache-2.0

#include "server/access/roles.h"

#include <array>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace octet {
namespace {

struct Named {
  Role role;
  const char* name;
};
constexpr std::array<Named, 3> kRoles = {
    {{Role::kInfer, "infer"}, {Role::kRead, "read"}, {Role::kAdmin, "admin"}}};

}  // namespace

absl::StatusOr<Roles> ParseRoles(absl::string_view text) {
  if (absl::StripAsciiWhitespace(text) == "none") return Roles();
  Roles roles;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const absl::string_view word = absl::StripAsciiWhitespace(part);
    const Roles before = roles;
    for (const Named& named : kRoles) {
      if (word == named.name) roles = roles | Roles{named.role};
    }
    if (roles == before) {
      return absl::InvalidArgumentError(
          "wants roles of infer, read and admin, each once, with commas between, or none");
    }
  }
  return roles;
}

std::string RoleNames(Roles roles, absl::string_view between) {
  std::vector<const char*> names;
  for (const Named& named : kRoles) {
    if (roles.HasAnyOf({named.role})) names.push_back(named.name);
  }
  return names.empty() ? "none" : absl::StrJoin(names, between);
}

}  // namespace octet
