// SPDX-License-Identifier: Apache-2.0

#include "server/access/roles.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(RolesTest, AreReadAndWritten) {
  EXPECT_EQ(*ParseRoles("infer"), Roles{Role::kInfer});
  EXPECT_EQ(*ParseRoles(" read ,infer"), (Roles{Role::kInfer, Role::kRead}));
  EXPECT_EQ(*ParseRoles("none"), Roles());
  EXPECT_EQ(RoleNames({Role::kRead, Role::kInfer}), "infer, read");
  EXPECT_EQ(RoleNames({Role::kRead, Role::kAdmin}, " or "), "read or admin");
  EXPECT_EQ(RoleNames({}), "none");
}

TEST(RolesTest, AnErrorDoesNotSayWhatItGot) {
  for (const char* const text : {"", "infre", "infer,", "infer,infer", "infer,none", "Admin"}) {
    const absl::StatusOr<Roles> roles = ParseRoles(text);
    ASSERT_FALSE(roles.ok()) << text;
    EXPECT_THAT(std::string(roles.status().message()), testing::HasSubstr("infer, read and admin"));
    EXPECT_THAT(std::string(roles.status().message()), testing::Not(testing::HasSubstr("infre")));
  }
}

TEST(RolesTest, AnyOfSeveralIsEnough) {
  const Roles roles = {Role::kRead, Role::kAdmin};
  EXPECT_TRUE(roles.HasAnyOf({Role::kInfer, Role::kAdmin}));
  EXPECT_FALSE(roles.HasAnyOf({Role::kInfer}));
  EXPECT_FALSE(Roles().HasAnyOf({Role::kInfer, Role::kRead, Role::kAdmin}));
}

}  // namespace
}  // namespace octet
