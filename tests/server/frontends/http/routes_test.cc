// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/routes.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "tests/server/frontends/http/served_rooms.h"

namespace octet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class RoutesTest : public ::testing::Test {
 protected:
  HttpReply Get(absl::string_view target) {
    return Answer("GET", target, HttpSurface::kAll, served_.rooms());
  }

  testing::ServedRooms served_;
};

TEST_F(RoutesTest, HealthFollowsReadiness) {
  EXPECT_EQ(Get("/v2/health/live").status, 200U);
  EXPECT_EQ(Get("/v2/health/ready").status, 200U);
  EXPECT_EQ(Get("/v2/models/good/ready").status, 200U);
  served_.is_ready = false;
  EXPECT_EQ(Get("/v2/health/live").status, 200U);
  EXPECT_EQ(Get("/v2/health/ready").status, 503U);
  EXPECT_EQ(Get("/v2/health/ready").body, "{\"ready\":false}");
  EXPECT_EQ(Get("/v2/models/good/ready").status, 503U);
}

TEST_F(RoutesTest, ServerMetadata) {
  const json metadata = json::parse(Get("/v2").body);
  EXPECT_EQ(metadata["name"], "octet");
  EXPECT_EQ(metadata["version"], "1.2.3");
}

TEST_F(RoutesTest, ModelMetadataIsTheProtocols) {
  for (const char* target : {"/v2/models/good", "/v2/models/good/versions/1?x=y"}) {
    const HttpReply reply = Get(target);
    ASSERT_EQ(reply.status, 200U) << target << reply.body;
    const json metadata = json::parse(reply.body);
    EXPECT_EQ(metadata["name"], "good");
    EXPECT_EQ(metadata["versions"], json({"1"}));
    EXPECT_EQ(metadata["inputs"],
              json::parse(R"([{"name": "x", "datatype": "FP32", "shape": [-1, 4]}])"));
    EXPECT_EQ(metadata["outputs"],
              json::parse(R"([{"name": "y", "datatype": "FP32", "shape": [-1, 2]}])"));
  }
}

TEST_F(RoutesTest, UnknownNamesAreNotFoundAndRefusedModelsUnavailable) {
  EXPECT_EQ(Get("/v2/models/none").status, 404U);
  EXPECT_EQ(Get("/v2/models/none/ready").status, 404U);
  EXPECT_EQ(Get("/v2/models/good/versions/7").status, 404U);
  EXPECT_EQ(Get("/v2/models/good/versions/x").status, 400U);
  EXPECT_EQ(Get("/v2/models/bad").status, 503U);
  EXPECT_EQ(Get("/v2/models/bad/ready").status, 503U);
  EXPECT_THAT(json::parse(Get("/v2/models/none").body)["error"].get<std::string>(),
              HasSubstr("\"none\" is unknown"));
}

TEST_F(RoutesTest, UnknownPathsAreNotFound) {
  for (const char* target :
       {"/v3", "/v2/", "/v2/models", "/v2/models/good/", "/v2/health", "/v2/models/good/versions",
        "/v2/models/good/infer", "/../etc/passwd", "//", "/metrics/"}) {
    EXPECT_EQ(Get(target).status, 404U) << target;
  }
  EXPECT_EQ(Get("*").status, 400U);
  EXPECT_EQ(Get("").status, 400U);
  EXPECT_EQ(Get("/\xff\xfe").status, 404U) << "bytes that are no UTF-8 do not throw";
}

TEST_F(RoutesTest, OtherMethodsOnKnownPathsAreNotAllowed) {
  const HttpReply reply = Answer("POST", "/metrics", HttpSurface::kAll, served_.rooms());
  EXPECT_EQ(reply.status, 405U);
  EXPECT_EQ(reply.allow, "GET, HEAD");
  EXPECT_EQ(Answer("POST", "/none", HttpSurface::kAll, served_.rooms()).status, 404U);
  EXPECT_EQ(Answer("HEAD", "/v2", HttpSurface::kAll, served_.rooms()).status, 200U);
}

TEST_F(RoutesTest, MetricsAreOnBothAddressesAndNothingElseOnTheirOwn) {
  EXPECT_THAT(Get("/metrics").body, HasSubstr("octet_models_loaded 1\n"));
  EXPECT_THAT(Get("/metrics").content_type, HasSubstr("version=0.0.4"));
  const auto metrics_only = [this](absl::string_view target) {
    return Answer("GET", target, HttpSurface::kMetricsOnly, served_.rooms()).status;
  };
  EXPECT_EQ(metrics_only("/metrics"), 200U);
  EXPECT_EQ(metrics_only("/"), 404U);
  EXPECT_EQ(metrics_only("/v2"), 404U);
}

TEST_F(RoutesTest, UnknownModelNameNeverReachesTheMetrics) {
  Get("/v2/models/made_up_by_a_client");
  EXPECT_THAT(Get("/metrics").body, ::testing::Not(HasSubstr("made_up_by_a_client")));
}

}  // namespace
}  // namespace octet
