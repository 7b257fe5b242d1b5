// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/openapi.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

#include "server/frontends/http/openapi_schemas.h"
#include "server/frontends/http/route_table.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;

Json Reference(absl::string_view schema) {
  return {{"$ref", absl::StrCat("#/components/schemas/", schema)}};
}

Json Content(absl::string_view type, Json schema) {
  return {{std::string(type), {{"schema", std::move(schema)}}}};
}

Json Response(absl::string_view description, Json content) {
  return {{"description", std::string(description)}, {"content", std::move(content)}};
}

// What a route answers when all is well.
Json Success(const Route& route) {
  switch (route.id) {
    case RouteId::kMetrics:
    case RouteId::kStatusPage:
      return Response("Text", Content("text/plain", {{"type", "string"}}));
    case RouteId::kInfer: {
      Json content = Content("application/json", Reference("InferResponse"));
      content["application/octet-stream"] = {
          {"schema", {{"type", "string"}, {"format", "binary"}}}};
      return Response("The outputs; as bytes behind the JSON where binary data is asked for",
                      std::move(content));
    }
    default:
      return Response("OK", Content("application/json", Reference(SchemaOf(route.id))));
  }
}

Json ErrorResponse(absl::string_view description) {
  return Response(description, Content("application/json", Reference("Error")));
}

Json Responses(const Route& route) {
  Json responses = {{"200", Success(route)}};
  responses["400"] = ErrorResponse("The request is not what it has to be");
  const bool tells_readiness = route.id == RouteId::kReady || route.id == RouteId::kModelReady;
  const bool has_model = absl::string_view(route.path).find("{model}") != absl::string_view::npos;
  if (has_model || route.id == RouteId::kRepositoryIndex) {
    responses["404"] = ErrorResponse("There is no such model or version");
  }
  if (route.operation != Operation::kHealth) {
    responses["401"] = ErrorResponse("The caller has proved nothing, or its token is unknown");
    responses["403"] = ErrorResponse("The caller lacks the role for it");
  }
  if (route.id == RouteId::kLoad || route.id == RouteId::kUnload) {
    responses["500"] = ErrorResponse("The bundle is damaged");
  }
  if (route.body != BodyUse::kNone) {
    responses["408"] = ErrorResponse("The request came too slowly");
    responses["413"] = ErrorResponse("The request is larger than the server takes");
    responses["415"] = ErrorResponse("The body's type or coding is unknown");
  }
  if (route.id == RouteId::kInfer) {
    responses["411"] = ErrorResponse("The body's length is missing");
    responses["429"] = ErrorResponse("The queue or a memory budget is full; retry later");
    responses["504"] = ErrorResponse("The request's time ran out");
  }
  if (tells_readiness) {
    responses["503"] =
        Response("Not ready", Content("application/json", Reference(SchemaOf(route.id))));
  } else if (has_model) {
    responses["503"] = ErrorResponse("The model is loading or could not be loaded; retry");
  }
  responses["501"] = ErrorResponse("Not offered by this server");
  return responses;
}

Json Parameters(const Route& route) {
  Json parameters = Json::array();
  for (const absl::string_view segment : absl::StrSplit(route.path, '/')) {
    if (segment.empty() || segment.front() != '{') continue;
    const std::string name(segment.substr(1, segment.size() - 2));
    parameters.push_back(
        {{"name", name},
         {"in", "path"},
         {"required", true},
         {"description",
          name == "model" ? "A model's name" : "A version's number, or a label of one"},
         {"schema", {{"type", "string"}, {"minLength", 1}}}});
  }
  if (route.id == RouteId::kInfer) {
    parameters.push_back(
        {{"name", "Inference-Header-Content-Length"},
         {"in", "header"},
         {"required", false},
         {"description", "How many bytes of the body are JSON, where tensors' bytes follow it"},
         {"schema", {{"type", "integer"}, {"minimum", 0}}}});
  }
  return parameters;
}

Json RequestBody(const Route& route) {
  Json content = Content("application/json", Reference(BodySchemaOf(route.id)));
  if (route.body == BodyUse::kTensors) {
    content["application/octet-stream"] = {{"schema", {{"type", "string"}, {"format", "binary"}}}};
  }
  return {{"required", route.body == BodyUse::kTensors}, {"content", std::move(content)}};
}

// "get_v2_models_model_ready".
std::string OperationId(const Route& route) {
  std::string id = route.method == HttpMethod::kGet ? "get" : "post";
  for (const absl::string_view segment :
       absl::StrSplit(route.path, absl::ByAnyChar("/{}."), absl::SkipEmpty())) {
    absl::StrAppend(&id, "_", segment);
  }
  return id;
}

}  // namespace

std::string OpenApiDocument(absl::string_view server_version) {
  Json paths = Json::object();
  for (const Route& route : AllRoutes()) {
    if (route.id == RouteId::kStatusPage) continue;
    Json operation = {{"operationId", OperationId(route)}, {"summary", route.summary}};
    Json parameters = Parameters(route);
    if (!parameters.empty()) operation["parameters"] = std::move(parameters);
    if (route.body != BodyUse::kNone) operation["requestBody"] = RequestBody(route);
    operation["responses"] = Responses(route);
    paths[route.path][route.method == HttpMethod::kGet ? "get" : "post"] = std::move(operation);
  }
  const Json document = {
      {"openapi", "3.0.3"},
      {"info",
       {{"title", "Octet"},
        {"description", "The Open Inference Protocol (V2) over REST, with its extensions"},
        {"version", std::string(server_version)}}},
      {"paths", std::move(paths)},
      {"components", {{"schemas", Json::parse(OpenApiSchemas())}}}};
  return document.dump();
}

}  // namespace octet
