// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/control_answers.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "server/frontends/http/control_body.h"
#include "server/frontends/http/control_json.h"
#include "server/frontends/http/json_writer.h"
#include "server/frontends/http/openapi.h"
#include "server/frontends/http/status_page.h"
#include "server/inference/inference_statistics.h"
#include "server/inference/model_description.h"
#include "server/inference/repository_requests.h"

namespace octet {
namespace {

HttpReply Reply(unsigned status, std::string body, std::string type = "application/json") {
  return {.status = status, .content_type = std::move(type), .body = std::move(body)};
}

HttpReply FlagReply(absl::string_view name, bool value) {
  return Reply(value ? 200 : 503, absl::StrCat("{\"", name, "\":", value ? "true" : "false", "}"));
}

HttpReply ServerMetadata(const HttpRooms& rooms) {
  std::string body = "{\"name\":\"octet\",\"version\":";
  AppendJsonString(rooms.server_version, body);
  absl::StrAppend(&body, ",\"extensions\":[\"binary_tensor_data\",\"classification\",",
                  "\"model_configuration\",",
                  // A client takes it for load and unload.
                  rooms.loader == nullptr ? "" : "\"model_repository\",", "\"statistics\"]}");
  return Reply(200, std::move(body));
}

HttpReply ModelReady(const RouteMatch& match, const HttpRooms& rooms) {
  const absl::StatusOr<ModelHandle> model = rooms.repository.Find(match.model, match.version);
  // One that could not be loaded is not ready; one that there is not is an error.
  if (!model.ok() && !absl::IsUnavailable(model.status())) return ErrorReply(model.status());
  const bool is_ready = model.ok() && rooms.is_ready();
  std::string body = "{\"name\":";
  AppendJsonString(match.model, body);
  absl::StrAppend(&body, ",\"ready\":", is_ready ? "true" : "false", "}");
  return Reply(is_ready ? 200 : 503, std::move(body));
}

absl::StatusOr<std::string> ModelJson(const RouteMatch& match, const HttpRooms& rooms) {
  ASSIGN_OR_RETURN(const ModelHandle model, rooms.repository.Find(match.model, match.version));
  if (match.route->id == RouteId::kModelConfig)
    return ToJson(ConfigurationOf(rooms.repository, *model));
  return ToJson(DescribeModel(rooms.repository, *model));
}

absl::StatusOr<std::string> Index(absl::string_view body, const HttpRooms& rooms) {
  ASSIGN_OR_RETURN(const bool only_ready, ReadIndexBody(body));
  std::vector<IndexEntry> index = rooms.repository.Index();
  if (only_ready) {
    std::erase_if(index,
                  [](const IndexEntry& entry) { return entry.state != VersionState::kReady; });
  }
  return ToJson(index);
}

absl::StatusOr<std::string> Trace(const RouteMatch& match, absl::string_view body,
                                  const HttpRooms& rooms) {
  if (!match.model.empty()) RETURN_IF_ERROR(rooms.repository.Find(match.model, "").status());
  const TraceValues values = TraceValuesOf(rooms.settings);
  if (match.route->id == RouteId::kSetTraceSettings) {
    RETURN_IF_ERROR(CheckTraceBody(values, body));
  }
  return ToJson(values);
}

absl::StatusOr<std::string> Log(const RouteMatch& match, absl::string_view body,
                                const HttpRooms& rooms) {
  const LogValues values = LogValuesOf(rooms.settings);
  if (match.route->id == RouteId::kSetLogSettings) RETURN_IF_ERROR(CheckLogBody(values, body));
  return ToJson(values);
}

absl::StatusOr<std::string> Statistics(const RouteMatch& match, const HttpRooms& rooms) {
  ASSIGN_OR_RETURN(const std::vector<InferenceStatistics> statistics,
                   StatisticsOf(rooms.repository, match.model, match.version));
  return ToJson(statistics);
}

HttpReply ToReply(absl::StatusOr<std::string> json) {
  return json.ok() ? Reply(200, *std::move(json)) : ErrorReply(json.status());
}

absl::Status CheckManagement(const RouteMatch& match, absl::string_view body,
                             const HttpRooms& rooms) {
  if (rooms.loader == nullptr) {
    return absl::UnimplementedError(
        "this server loads its models at start, and none over the network");
  }
  RETURN_IF_ERROR(CheckModelName(match.model));
  return CheckManagementBody(body);
}

// Loads or unloads; answered when that is done.
void Manage(const RouteMatch& match, absl::string_view body, const HttpRooms& rooms,
            HttpAnswer answer) {
  if (const absl::Status status = CheckManagement(match, body, rooms); !status.ok()) {
    return answer(ErrorReply(status));
  }
  const auto done = [answer = std::move(answer)](const absl::Status& status) {
    answer(status.ok() ? Reply(200, "{}") : ErrorReply(status));
  };
  if (match.route->id == RouteId::kLoad) {
    rooms.loader->Load(match.model, done);
  } else {
    rooms.loader->Unload(match.model, done);
  }
}

HttpReply AnswerNow(const RouteMatch& match, absl::string_view body, const HttpRooms& rooms) {
  switch (match.route->id) {
    case RouteId::kStatusPage:
      return Reply(200, StatusPage(rooms), "text/html; charset=utf-8");
    case RouteId::kMetrics:
      return Reply(200, rooms.metrics.Scrape(), "text/plain; version=0.0.4; charset=utf-8");
    case RouteId::kServerMetadata:
      return ServerMetadata(rooms);
    case RouteId::kOpenApi:
      return Reply(200, OpenApiDocument(rooms.server_version));
    case RouteId::kLive:
      return FlagReply("live", true);
    case RouteId::kReady:
      return FlagReply("ready", rooms.is_ready());
    case RouteId::kModelReady:
      return ModelReady(match, rooms);
    case RouteId::kModelMetadata:
    case RouteId::kModelConfig:
      return ToReply(ModelJson(match, rooms));
    case RouteId::kModelStatistics:
    case RouteId::kAllStatistics:
      return ToReply(Statistics(match, rooms));
    case RouteId::kRepositoryIndex:
      return ToReply(Index(body, rooms));
    case RouteId::kTraceSettings:
    case RouteId::kSetTraceSettings:
      return ToReply(Trace(match, body, rooms));
    case RouteId::kLogSettings:
    case RouteId::kSetLogSettings:
      return ToReply(Log(match, body, rooms));
    case RouteId::kSharedMemory:
      return ErrorReply(absl::UnimplementedError(
          "shared memory is not offered over HTTP: send tensors in the request's body"));
    case RouteId::kLoad:
    case RouteId::kUnload:
    case RouteId::kInfer:
      break;  // not answered at once
  }
  return ErrorReply(absl::InternalError("a route without an answer"));
}

}  // namespace

void AnswerControl(const RouteMatch& match, const HttpRequest& request, const HttpRooms& rooms,
                   HttpAnswer answer) {
  const absl::string_view body = request.body.text();
  if (match.route->id == RouteId::kLoad || match.route->id == RouteId::kUnload) {
    return Manage(match, body, rooms, std::move(answer));
  }
  answer(AnswerNow(match, body, rooms));
}

}  // namespace octet
