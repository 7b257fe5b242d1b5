// SPDX-License-Identifier: Apache-2.0
#include "client/cli/local_model.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/bundle/reader.h"
#include "models/bundle/writer.h"
#include "tests/support/small_bundle.h"

namespace octet::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kDigits[] = "models/zoo/repository/digits-mlp-int8/1";

class LocalModelTest : public ::testing::Test {
 protected:
  // The zoo's bundle after `change`, written.
  template <typename Change>
  std::string Written(Change change) {
    absl::StatusOr<Bundle> bundle = ReadBundle(kDigits);
    EXPECT_TRUE(bundle.ok()) << bundle.status();
    change(*bundle);
    const absl::Status status = WriteBundle(*bundle, root_ / "1");
    EXPECT_TRUE(status.ok()) << status;
    return root_ / "1";
  }

  testing::TemporaryDirectory root_;
};

TEST_F(LocalModelTest, ABundleThatComputesWhatItSaysIsLoaded) {
  const auto model = LocalModel::Load(kDigits, "reference");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE((*model)->RunSelfTest().ok());
}

TEST_F(LocalModelTest, ABundleThatAnswersSomethingElseIsRefused) {
  const std::string path =
      Written([](Bundle& bundle) { bundle.self_test->outputs[0].as<float>()[3] = 7.0F; });
  const absl::Status status = LocalModel::Load(path, "reference").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"" + path + "\": self-test: output \""));
  EXPECT_THAT(std::string(status.message()), HasSubstr("element 3: got "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("wants 7"));
  // To look at it, it can be loaded all the same.
  const auto model = LocalModel::LoadUntested(path, "reference");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->RunSelfTest().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LocalModelTest, ABundleWithoutASelfTestIsLoaded) {
  const std::string path = Written([](Bundle& bundle) { bundle.self_test.reset(); });
  const auto model = LocalModel::Load(path, "");
  EXPECT_TRUE(model.ok()) << model.status();
}

}  // namespace
}  // namespace octet::cli
