// SPDX-License-Identifier: Apache-2.0

#include "server/config/yaml_message.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/octet/config/v1/config.pb.h"

namespace octet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

TEST(FillFromYamlTest, FillsFields) {
  config::v1::ServerConfig message;
  EXPECT_THAT(FillFromYaml("grpc_address: '[::]:1'\ndrain_delay: 5s\nallow_management: true\n",
                           "f.yaml", message),
              IsEmpty());
  EXPECT_EQ(message.grpc_address(), "[::]:1");
  EXPECT_EQ(message.drain_delay().seconds(), 5);
  EXPECT_TRUE(message.allow_management());
  EXPECT_FALSE(message.has_workers());
}

TEST(FillFromYamlTest, FillsMessagesInMessages) {
  config::v1::ServerConfig message;
  EXPECT_THAT(FillFromYaml("access:\n  grpc: {tls: false, anonymous: 'infer, read'}\n"
                           "  protect_health: true\n",
                           "f.yaml", message),
              IsEmpty());
  EXPECT_TRUE(message.access().grpc().has_tls());
  EXPECT_EQ(message.access().grpc().anonymous(), "infer, read");
  EXPECT_TRUE(message.access().protect_health());
  EXPECT_FALSE(message.access().has_http());
  EXPECT_THAT(FillFromYaml("access:\n  grpc: none\n  http: {tsl: true}\n", "f.yaml", message),
              ElementsAre(StartsWith("f.yaml:2: access.grpc: wants a mapping with keys of: tls"),
                          StartsWith("f.yaml:3: access.http.tsl: unknown key; known: tls")));
}

TEST(FillFromYamlTest, EmptyDocumentSetsNothing) {
  config::v1::ServerConfig message;
  EXPECT_THAT(FillFromYaml("", "f.yaml", message), IsEmpty());
  EXPECT_THAT(FillFromYaml("# only words\n", "f.yaml", message), IsEmpty());
}

TEST(FillFromYamlTest, AllErrorsComeAtOnceWithTheirLines) {
  config::v1::ServerConfig message;
  EXPECT_THAT(FillFromYaml("grpc_adress: a:1\nworkers: many\nworkers: 1\ndrain_delay: [1]\n",
                           "f.yaml", message),
              ElementsAre(StartsWith("f.yaml:1: grpc_adress: unknown key; known: model_repository"),
                          StartsWith("f.yaml:2: workers: got \"many\", wants"),
                          StartsWith("f.yaml:3: workers: given twice"),
                          StartsWith("f.yaml:4: drain_delay: wants one value")));
}

TEST(FillFromYamlTest, WhatIsNoMappingOrNoYamlIsAnError) {
  config::v1::ServerConfig message;
  EXPECT_THAT(FillFromYaml("- a\n", "f.yaml", message),
              ElementsAre(StartsWith("f.yaml:1: wants a mapping")));
  EXPECT_THAT(FillFromYaml("a: [\n", "f.yaml", message),
              ElementsAre(testing::HasSubstr("not YAML")));
  EXPECT_THAT(FillFromYaml("workers: 1\n---\nworkers: 2\n", "f.yaml", message),
              ElementsAre(StartsWith("f.yaml: holds 2 documents")));
  EXPECT_THAT(FillFromYaml("workers:\n", "f.yaml", message),
              ElementsAre(StartsWith("f.yaml:1: workers: wants one value")));
}

}  // namespace
}  // namespace octet
