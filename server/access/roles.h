// SPDX-License-Identifier: Apache-2.0
// What callers may be allowed: infer, read, admin.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace octet {

enum class Role : std::uint8_t {
  kInfer = 1,  // send requests to models
  kRead = 2,   // see what is served and how well: statistics, metrics, the page
  kAdmin = 4,  // change what is served, and settings; see all that `read` sees
};

// A set of them.
class Roles {
 public:
  constexpr Roles() = default;
  constexpr Roles(std::initializer_list<Role> roles) {
    for (const Role role : roles) bits_ |= static_cast<unsigned>(role);
  }

  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr bool HasAnyOf(Roles other) const { return (bits_ & other.bits_) != 0; }
  friend constexpr Roles operator|(Roles a, Roles b) {
    a.bits_ |= b.bits_;
    return a;
  }
  friend constexpr bool operator==(Roles, Roles) = default;

 private:
  unsigned bits_ = 0;
};

// "infer", "infer, read", "admin", "none". Returns INVALID_ARGUMENT saying what it wants, without
// the text, which may be a secret in the wrong place.
absl::StatusOr<Roles> ParseRoles(absl::string_view text);

// "infer, read"; "none" of an empty set. `between` stands between two.
std::string RoleNames(Roles roles, absl::string_view between = ", ");

}  // namespace octet
