// SPDX-License-Identifier: Apache-2.0

#include "server/inference/inference_service.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_requests.h"
#include "tests/support/served_models.h"

namespace octet {
namespace {

using testing::FakeCompletion;
using ::testing::HasSubstr;
using testing::Outcome;

// What these tests ask for is refused before a worker is needed.
class InferenceServiceTest : public ::testing::Test {
 protected:
  InferenceServiceTest() { models_.service.SetState(ServerState::kServing); }

  std::shared_ptr<Outcome> Send(const std::string& model, const std::string& version = "",
                                TimePoint deadline = kNever) {
    auto outcome = std::make_shared<Outcome>();
    auto request = std::make_unique<InferenceRequest>();
    request->model_name = model;
    request->model_version = version;
    request->inputs = {{"image", "FP32", {1, 8, 8, 1}, std::as_bytes(std::span(image_))}};
    request->arrival = std::chrono::steady_clock::now();
    request->deadline = deadline;
    request->completion = std::make_unique<FakeCompletion>(outcome, false);
    models_.service.Infer(0, std::move(request));
    return outcome;
  }

  std::vector<float> image_ = std::vector<float>(64);
  testing::ServedModels models_{1};
};

TEST_F(InferenceServiceTest, NamesThatAreNotThere) {
  EXPECT_TRUE(absl::IsInvalidArgument(Send("")->status));
  EXPECT_TRUE(absl::IsNotFound(Send("nothing")->status));
  EXPECT_TRUE(absl::IsNotFound(Send("net", "7")->status));
  EXPECT_TRUE(absl::IsInvalidArgument(Send("net", "one")->status));
  EXPECT_TRUE(absl::IsUnavailable(Send("broken")->status));
  EXPECT_EQ(models_.service.requests_in_flight(), 0);
  // None of those names became a label.
  EXPECT_THAT(models_.metrics.Scrape(), ::testing::Not(HasSubstr("nothing")));
}

TEST_F(InferenceServiceTest, RefusalNamesTheModel) {
  image_.pop_back();
  const auto outcome = Send("net");
  EXPECT_TRUE(absl::IsInvalidArgument(outcome->status));
  EXPECT_THAT(std::string(outcome->status.message()),
              HasSubstr("model \"net\" version 1: input \"image\""));
}

TEST_F(InferenceServiceTest, PassedDeadlineIsRefused) {
  const auto outcome = Send("net", "", std::chrono::steady_clock::now());
  EXPECT_TRUE(absl::IsDeadlineExceeded(outcome->status));
}

TEST_F(InferenceServiceTest, ServesWhileDrainingButNotBeforeLoadingOrAfterClosing) {
  models_.service.SetState(ServerState::kStarting);
  EXPECT_TRUE(absl::IsUnavailable(Send("net")->status));
  models_.service.SetState(ServerState::kDraining);
  EXPECT_FALSE(models_.service.is_ready());
  EXPECT_TRUE(absl::IsNotFound(Send("nothing")->status));
  models_.service.gate().Close();
  EXPECT_TRUE(absl::IsUnavailable(Send("nothing")->status));
}

}  // namespace
}  // namespace octet
