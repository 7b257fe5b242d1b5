// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/http_router.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "server/frontends/http/compression.h"
#include "server/frontends/http/infer_answer.h"
#include "server/inference/repository_requests.h"

namespace octet {
namespace {

constexpr std::size_t kMostDroppedBytes = std::size_t{64} << 10;  // of a body that nobody wants
constexpr std::size_t kMostControlBytes = std::size_t{1} << 20;

HttpReply MethodNotAllowed(absl::string_view method, absl::string_view path,
                           const std::string& allow) {
  HttpReply reply = ErrorReply(
      405, absl::StrCat("method ", Quoted(method), " on ", Quoted(path), ", wants ", allow));
  reply.fields.push_back({"Allow", allow});
  return reply;
}

HttpReply UnknownPath(absl::string_view path) {
  return ErrorReply(404, absl::StrCat("unknown path ", Quoted(path),
                                      "; GET /v2/openapi.json describes those that there are"));
}

}  // namespace

HttpRouter::HttpRouter(HttpSurface surface, HttpAuthorize authorize, const HttpRooms& rooms,
                       const InferRooms* inference)
    : surface_(surface), authorize_(std::move(authorize)), rooms_(rooms), inference_(inference) {}

std::variant<RouteMatch, HttpReply> HttpRouter::Find(const RequestHead& head) const {
  const absl::string_view target = head.target;
  const absl::string_view path = target.substr(0, target.find('?'));
  absl::StatusOr<RouteLookup> lookup = FindRoute(head.method, path);
  if (!lookup.ok()) return ErrorReply(lookup.status());
  if (surface_ == HttpSurface::kMetricsOnly && path != "/metrics") {
    return ErrorReply(404, "this address has /metrics only; the rest is on the HTTP address");
  }
  if (lookup->match.route != nullptr) return std::move(lookup->match);
  if (lookup->allow.empty()) return UnknownPath(path);
  return MethodNotAllowed(head.method, path, lookup->allow);
}

std::variant<std::size_t, HttpReply> HttpRouter::Begin(const RequestHead& head,
                                                       const HttpPeer& peer) {
  std::variant<RouteMatch, HttpReply> found = Find(head);
  if (auto* const reply = std::get_if<HttpReply>(&found)) return std::move(*reply);
  const Route& route = *std::get<RouteMatch>(found).route;
  if (absl::Status status = authorize_(route, head, peer); !status.ok()) {
    HttpReply reply = ErrorReply(status);
    if (reply.status == 401) reply.fields.push_back({"WWW-Authenticate", "Bearer"});
    return reply;
  }
  switch (route.body) {
    case BodyUse::kNone:
      return kMostDroppedBytes;
    case BodyUse::kOptional:
      if (ParseContentEncoding(head.Find("Content-Encoding")) != Coding::kIdentity) {
        return ErrorReply(415, "wants a body without Content-Encoding: inference alone inflates");
      }
      return kMostControlBytes;
    case BodyUse::kTensors:
      break;
  }
  if (inference_ == nullptr) return ErrorReply(501, "this server runs no models over HTTP");
  if (std::optional<HttpReply> refusal = CheckInferHead(head)) return *std::move(refusal);
  return inference_->max_request_bytes;
}

void HttpRouter::Handle(HttpRequest request, HttpAnswer answer) {
  std::variant<RouteMatch, HttpReply> found = Find(request.head);
  if (auto* const reply = std::get_if<HttpReply>(&found)) return answer(std::move(*reply));
  RouteMatch match = std::get<RouteMatch>(std::move(found));
  if (match.route->body == BodyUse::kTensors) {
    return Infer(*inference_, std::move(match), std::move(request), std::move(answer));
  }
  AnswerControl(match, request, rooms_,
                [answer = std::move(answer),
                 accepted = std::string(request.head.Find("Accept-Encoding"))](HttpReply reply) {
                  Compress(accepted, reply);
                  answer(std::move(reply));
                });
}

bool HttpRouter::is_draining() const { return rooms_.is_draining && rooms_.is_draining(); }

}  // namespace octet
