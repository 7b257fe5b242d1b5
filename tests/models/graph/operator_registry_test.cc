// SPDX-License-Identifier: Apache-2.0
#include "models/graph/operator_registry.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(OperatorRegistryTest, FindsByName) {
  const OperatorRegistry registry = testing::TinyOperators();
  const auto found = registry.Find("Crop");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ((*found)->name(), "Crop");
  EXPECT_THAT(registry.names(),
              ElementsAre("Crop", "Flatten", "Halves", "Round", "Rows", "Sum", "Twice"));
}

TEST(OperatorRegistryTest, AnUnknownNameListsTheKnownOnes) {
  const absl::Status status = testing::TinyOperators().Find("Sin").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"Sin\""), HasSubstr("Crop, Flatten")));
}

TEST(OperatorRegistryDeathTest, ANameTakenTwiceEndsTheProgram) {
  EXPECT_DEATH(
      {
        OperatorRegistry registry;
        for (int i = 0; i < 2; ++i) {
          registry.Add(std::make_unique<const testing::TinyOperator>(
              "Twice", 1, testing::TinyOperator::TypeRule(), testing::TinyOperator::Function()));
        }
      },
      "\"Twice\" is registered twice");
}

}  // namespace
}  // namespace octet
