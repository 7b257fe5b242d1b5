// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/openapi.h"

#include <set>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "server/frontends/http/openapi_schemas.h"
#include "server/frontends/http/route_table.h"

namespace octet {
namespace {

using nlohmann::json;

TEST(OpenApiTest, EveryRouteIsThereAndNothingElse) {
  const json document = json::parse(OpenApiDocument("1.2.3"));
  std::set<std::string> described;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) described.insert(method + " " + path);
  }
  std::set<std::string> routed;
  for (const Route& route : AllRoutes()) {
    if (route.id == RouteId::kStatusPage) continue;
    routed.insert(std::string(route.method == HttpMethod::kGet ? "get " : "post ") + route.path);
  }
  EXPECT_EQ(described, routed);
}

TEST(OpenApiTest, SchemasThatAreReferredToAreThere) {
  const json schemas = json::parse(OpenApiSchemas());
  const std::string document = OpenApiDocument("1");
  const std::string prefix = "#/components/schemas/";
  for (std::size_t at = document.find(prefix); at != std::string::npos;
       at = document.find(prefix, at + 1)) {
    const std::size_t begin = at + prefix.size();
    const std::string name = document.substr(begin, document.find('"', begin) - begin);
    EXPECT_TRUE(schemas.contains(name)) << name;
  }
}

TEST(RouteTableTest, WordsGoBeforeNames) {
  EXPECT_EQ(FindRoute("GET", "/v2/models/stats")->match.route->id, RouteId::kAllStatistics);
  const auto lookup = FindRoute("POST", "/v2/models/a%20b/versions/stable/infer");
  ASSERT_NE(lookup->match.route, nullptr);
  EXPECT_EQ(lookup->match.model, "a b");
  EXPECT_EQ(lookup->match.version, "stable");
}

}  // namespace
}  // namespace octet
