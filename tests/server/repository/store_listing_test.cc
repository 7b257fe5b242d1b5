// SPDX-License-Identifier: Apache-2.0

#include "server/repository/store_listing.h"

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using ::testing::HasSubstr;

class StoreListingTest : public ::testing::Test {
 protected:
  void MakeFolder(const std::string& path) { std::filesystem::create_directories(root_ / path); }
  void MakeFile(const std::string& path) {
    std::filesystem::create_directories(std::filesystem::path(root_ / path).parent_path());
    testing::WriteWhole(root_ / path, "x");
  }
  absl::StatusOr<std::vector<StoredModel>> List() { return ListStore(root_ / ""); }

  testing::TemporaryDirectory root_;
};

TEST_F(StoreListingTest, FindsFoldersAndFilesInNumericOrder) {
  MakeFolder("digits/10");
  MakeFolder("digits/9");
  MakeFile("digits/2.octet");
  MakeFile("mlp/1.octet");
  const auto models = List();
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 2U);
  EXPECT_EQ((*models)[0].name, "digits");
  ASSERT_EQ((*models)[0].versions.size(), 3U);
  EXPECT_EQ((*models)[0].versions[0].version, 2);
  EXPECT_THAT((*models)[0].versions[0].path, HasSubstr("digits/2.octet"));
  EXPECT_EQ((*models)[0].versions[2].version, 10);
  EXPECT_EQ((*models)[1].name, "mlp");
}

TEST_F(StoreListingTest, PassesOverWhatIsNoModelOrVersion) {
  MakeFile("README.md");
  MakeFolder(".git/1");
  MakeFolder("digits/1");
  MakeFolder("digits/01");
  MakeFolder("digits/0");
  MakeFolder("digits/latest");
  MakeFolder("digits/-1");
  MakeFile("digits/2.evaluation.json");
  MakeFile("digits/3");
  const auto models = List();
  ASSERT_TRUE(models.ok());
  ASSERT_EQ(models->size(), 1U);
  ASSERT_EQ((*models)[0].versions.size(), 1U);
  EXPECT_EQ((*models)[0].versions[0].version, 1);
}

TEST_F(StoreListingTest, ModelWithoutVersionsSaysWhatIsWanted) {
  MakeFolder("empty");
  const auto models = List();
  ASSERT_EQ(models->size(), 1U);
  EXPECT_EQ((*models)[0].status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string((*models)[0].status.message()), HasSubstr("holds no version"));
}

TEST_F(StoreListingTest, VersionStoredTwiceIsRefused) {
  MakeFolder("digits/1");
  MakeFile("digits/1.octet");
  MakeFolder("digits/2");
  const auto models = List();
  ASSERT_EQ((*models)[0].versions.size(), 2U);
  EXPECT_THAT(std::string((*models)[0].versions[0].status.message()), HasSubstr("stored twice"));
  EXPECT_TRUE((*models)[0].versions[1].status.ok());
}

TEST_F(StoreListingTest, NameThatIsNoNameIsRefusedAndEscaped) {
  MakeFolder("bad \"name\"\n/1");
  const auto models = List();
  ASSERT_EQ(models->size(), 1U);
  EXPECT_EQ((*models)[0].name, "bad \\\"name\\\"\\n");
  EXPECT_EQ((*models)[0].status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(StoreListingTest, MissingFolderIsNotFound) {
  EXPECT_EQ(ListStore(root_ / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST(ParseVersionTest, TakesWholeNumbersFromOne) {
  EXPECT_EQ(ParseVersion("1"), 1);
  EXPECT_EQ(ParseVersion("9223372036854775807"), 9223372036854775807);
  for (const char* text : {"", "0", "01", "-1", "+1", " 1", "1 ", "1a", "9223372036854775808"}) {
    EXPECT_EQ(ParseVersion(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace octet
