// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/routes.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

#include "server/frontends/http/model_metadata.h"
#include "server/frontends/http/status_page.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;
using Segments = std::vector<absl::string_view>;

// What a client sent may be no UTF-8: replaced, not thrown at.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HttpReply JsonReply(unsigned status, const Json& json) {
  return {.status = status, .content_type = "application/json", .body = Dump(json), .allow = ""};
}

unsigned HttpStatus(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kInvalidArgument:
      return 400;
    default:
      return 500;
  }
}

HttpReply FromStatus(const absl::Status& status) {
  return ErrorReply(HttpStatus(status.code()),
                    absl::string_view(status.message().data(), status.message().size()));
}

HttpReply UnknownPath(absl::string_view path) {
  return ErrorReply(404, absl::StrCat("unknown path \"", path.substr(0, 128),
                                      "\"; there are /, /metrics, /v2, /v2/health/live, "
                                      "/v2/health/ready, /v2/models/{model}[/versions/{version}]"
                                      "[/ready]; inference is served over gRPC"));
}

// /v2/models/{model}[/versions/{version}][/ready]; `rest` is what follows /v2/models.
HttpReply AnswerModel(const Segments& rest, absl::string_view path, const HttpRooms& rooms) {
  const absl::string_view name = rest[0];
  absl::string_view version;
  std::size_t next = 1;
  if (next + 1 < rest.size() && rest[next] == "versions") {
    version = rest[next + 1];
    next += 2;
  }
  const bool asks_ready = next + 1 == rest.size() && rest[next] == "ready";
  if (next != rest.size() && !asks_ready) return UnknownPath(path);

  const absl::StatusOr<ModelHandle> model = rooms.repository.Find(name, version);
  if (asks_ready && (model.ok() || absl::IsUnavailable(model.status()))) {
    const bool is_ready = model.ok() && rooms.is_ready();
    return JsonReply(is_ready ? 200 : 503, {{"name", std::string(name)}, {"ready", is_ready}});
  }
  if (!model.ok()) return FromStatus(model.status());
  return {.status = 200,
          .content_type = "application/json",
          .body = ModelMetadataJson(**model, rooms.repository.ReadyVersions()),
          .allow = ""};
}

HttpReply AnswerV2(const Segments& segments, absl::string_view path, const HttpRooms& rooms) {
  if (segments.size() == 1) {
    return JsonReply(200, {{"name", "octet"},
                           {"version", rooms.server_version},
                           {"extensions", Json::array({"model_configuration", "statistics"})}});
  }
  if (segments.size() == 3 && segments[1] == "health") {
    if (segments[2] == "live") return JsonReply(200, {{"live", true}});
    if (segments[2] == "ready") {
      const bool is_ready = rooms.is_ready();
      return JsonReply(is_ready ? 200 : 503, {{"ready", is_ready}});
    }
  }
  if (segments.size() >= 3 && segments[1] == "models") {
    return AnswerModel({segments.begin() + 2, segments.end()}, path, rooms);
  }
  return UnknownPath(path);
}

HttpReply AnswerGet(absl::string_view path, HttpSurface surface, const HttpRooms& rooms) {
  if (path == "/metrics") {
    return {.status = 200,
            .content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = rooms.metrics.Scrape(),
            .allow = ""};
  }
  if (surface == HttpSurface::kMetricsOnly) {
    return ErrorReply(404, "this address has /metrics only; the rest is on the HTTP address");
  }
  if (path == "/") {
    return {.status = 200,
            .content_type = "text/html; charset=utf-8",
            .body = StatusPage(rooms),
            .allow = ""};
  }
  const Segments segments = absl::StrSplit(path.substr(1), '/');
  if (segments[0] == "v2") return AnswerV2(segments, path, rooms);
  return UnknownPath(path);
}

}  // namespace

HttpReply ErrorReply(unsigned status, absl::string_view message) {
  return JsonReply(status, {{"error", std::string(message)}});
}

HttpReply Answer(absl::string_view method, absl::string_view target, HttpSurface surface,
                 const HttpRooms& rooms) {
  const absl::string_view path = target.substr(0, target.find('?'));
  if (path.empty() || path[0] != '/') {
    return ErrorReply(400, "the request's target wants to begin with /");
  }
  HttpReply reply = AnswerGet(path, surface, rooms);
  if (method == "GET" || method == "HEAD" || reply.status == 404) return reply;
  reply = ErrorReply(405, absl::StrCat("method ", method.substr(0, 32), " on ", path.substr(0, 128),
                                       ", wants GET"));
  reply.allow = "GET, HEAD";
  return reply;
}

}  // namespace octet
