// SPDX-License-Identifier: Apache-2.0
#include "server/repository/model_settings.h"

#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(ModelSettingsTest, PoliciesAreReadAndWritten) {
  EXPECT_EQ(ParseVersionPolicy(" all ").value(), VersionPolicy());
  const VersionPolicy latest = ParseVersionPolicy("latest  3").value();
  EXPECT_EQ(latest.kind, VersionPolicy::Kind::kLatest);
  EXPECT_EQ(latest.latest, 3);
  EXPECT_EQ(ParseVersionPolicy("latest").value().latest, 1);
  const VersionPolicy specific = ParseVersionPolicy("specific 7,3, 7").value();
  EXPECT_EQ(specific.specific, (std::vector<std::int64_t>{3, 7}));
  for (const char* const text : {"all", "latest 2", "specific 3, 7"}) {
    EXPECT_EQ(ToString(ParseVersionPolicy(text).value()), text);
  }
}

TEST(ModelSettingsTest, OtherPoliciesAreRefusedWithWhatIsWanted) {
  for (const char* const text :
       {"", "All", "latest2", "latest 0", "latest -1", "latest 1 2", "latest 99999999999999999999",
        "specific", "specific ", "specific 1,,2", "specific 1 2", "specific a", "newest"}) {
    const absl::Status status = ParseVersionPolicy(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find("wants \"all\""), std::string::npos) << status;
  }
  EXPECT_FALSE(ParseVersionPolicy("specific 1" + std::string(5000, ',') + "2").ok());
}

TEST(ModelSettingsTest, LabelsAreWordsThatAreNoNumbers) {
  for (const char* const label : {"stable", "canary", "v2", "A.b-c_1"}) {
    EXPECT_TRUE(IsVersionLabel(label)) << label;
  }
  for (const char* const label : {"", "1", "2x", "-a", ".a", "a b", "a\n", "a\xc3\xa4"}) {
    EXPECT_FALSE(IsVersionLabel(label)) << label;
  }
  EXPECT_TRUE(IsVersionLabel(std::string(64, 'a')));
  EXPECT_FALSE(IsVersionLabel(std::string(65, 'a')));
}

}  // namespace
}  // namespace octet
