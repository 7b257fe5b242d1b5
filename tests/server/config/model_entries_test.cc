// SPDX-License-Identifier: Apache-2.0

#include "server/config/model_entries.h"

#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/octet/config/v1/config.pb.h"
#include "server/config/yaml_message.h"

namespace octet {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Taken {
  SettingsOfModels models;
  std::vector<std::string> errors;
};

Taken Take(const std::string& text) {
  config::v1::ServerConfig message;
  Taken taken;
  taken.errors = FillFromYaml(text, "octet.yaml", message);
  TakeModels(message, "octet.yaml: models", taken.models, taken.errors);
  return taken;
}

TEST(ModelEntriesTest, EverySettingIsTaken) {
  const Taken taken = Take(R"(
models:
- name: digits
  version_policy: latest 2
  labels: {stable: 3}
  max_batch_size: 16
  dynamic_batching:
    preferred_batch_size: [8, 4]
    max_queue_delay: 500us
    priority_levels: 3
    default_priority_level: 3
    default_queue_policy:
      timeout_action: DELAY
      default_timeout: 100ms
      allow_timeout_override: true
      max_queue_size: 200
    priority_queue_policy:
      1: {timeout_action: REJECT, max_queue_size: 7}
- name: ordered
  dynamic_batching: {preserve_ordering: true, priority_levels: 1}
- name: plain
)");
  ASSERT_THAT(taken.errors, IsEmpty());
  const ModelScheduling& digits = taken.models.at("digits").scheduling;
  EXPECT_EQ(taken.models.at("digits").policy.latest, 2);
  EXPECT_EQ(digits.max_batch_rows, 16);
  EXPECT_THAT(digits.preferred_rows, ElementsAre(4, 8));
  EXPECT_EQ(digits.max_queue_delay, 500us);
  EXPECT_EQ(digits.priority_levels, 3U);
  EXPECT_EQ(digits.default_level, 3U);
  EXPECT_TRUE(digits.has_waiting_policy);
  EXPECT_EQ(digits.default_policy, (WaitingPolicy{.max_requests = 200,
                                                  .timeout = 100ms,
                                                  .action = TimeoutAction::kDelay,
                                                  .allows_override = true}));
  EXPECT_EQ(PolicyOf(digits, 1), WaitingPolicy{.max_requests = 7});
  EXPECT_EQ(PolicyOf(digits, 2), digits.default_policy);
  const ModelScheduling& ordered = taken.models.at("ordered").scheduling;
  EXPECT_TRUE(ordered.preserves_order);
  EXPECT_EQ(ordered.default_level, 1U);
  EXPECT_EQ(taken.models.at("plain").scheduling, ModelScheduling{});
}

TEST(ModelEntriesTest, EveryErrorComesAtOnceWithItsPath) {
  const Taken taken = Take(R"(
models:
- name: digits
  max_batch_size: 4
  dynamic_batching:
    preferred_batch_size: [0, 8]
    max_queue_delay: 11s
    preserve_ordering: true
    priority_levels: 2
    default_priority_level: 3
    default_queue_policy: {timeout_action: DROP, default_timeout: 25h}
    priority_queue_policy:
      3: {}
- name: ../etc
- name: digits
  max_batch_size: 0
- name: many
  dynamic_batching: {priority_levels: 65}
)");
  const auto has = [&taken](const char* path, const char* what) {
    EXPECT_THAT(taken.errors, Contains(AllOf(HasSubstr(path), HasSubstr(what))));
  };
  has("models[0].dynamic_batching.preferred_batch_size: ", "got 0, wants 1 to max_batch_size");
  has("models[0].dynamic_batching.preferred_batch_size: ", "got 8");
  has("models[0].dynamic_batching.max_queue_delay: ", "got 11 s, wants at most 10 s");
  has("models[0].dynamic_batching.preserve_ordering: ", "wants one priority level");
  has("models[0].dynamic_batching.default_priority_level: ", "got 3, wants one of");
  has("models[0].dynamic_batching.default_queue_policy.timeout_action: ",
      "got \"DROP\", wants REJECT or DELAY");
  has("models[0].dynamic_batching.default_queue_policy.default_timeout: ", "wants at most");
  has("models[0].dynamic_batching.priority_queue_policy.3: ", "no such level");
  has("models[1].name: ", "wants a model's name");
  has("models[2].name: ", "there twice");
  has("models[2].max_batch_size: ", "wants at least 1");
  has("models[3].dynamic_batching.priority_levels: ", "got 65, wants at most 64");
}

TEST(ModelEntriesTest, WhatIsNoYamlOfTheKindIsRefusedWithItsPath) {
  const auto error = [](const std::string& text) {
    const Taken taken = Take("models:\n- name: m\n" + text);
    return taken.errors.empty() ? "" : taken.errors.front();
  };
  EXPECT_THAT(error("  dynamic_batching: fast\n"),
              AllOf(HasSubstr("octet.yaml:3: models[0].dynamic_batching: wants a mapping"),
                    HasSubstr("max_queue_delay")));
  EXPECT_THAT(error("  dynamic_batching: {delay: 1s}\n"), HasSubstr("unknown key"));
  EXPECT_THAT(error("  dynamic_batching: {preferred_batch_size: 4}\n"), HasSubstr("wants a list"));
  EXPECT_THAT(error("  dynamic_batching: {preferred_batch_size: [a]}\n"),
              HasSubstr("preferred_batch_size: got \"a\", wants a whole number"));
  EXPECT_THAT(error("  dynamic_batching: {preferred_batch_size: [[4]]}\n"),
              HasSubstr("wants a list of values"));
  EXPECT_THAT(error("  dynamic_batching: {priority_queue_policy: {x: {}}}\n"),
              HasSubstr("priority_queue_policy.x: got \"x\""));
  EXPECT_THAT(error("  dynamic_batching: {priority_queue_policy: {1: none}}\n"),
              HasSubstr("priority_queue_policy.1: wants a mapping"));
}

}  // namespace
}  // namespace octet
