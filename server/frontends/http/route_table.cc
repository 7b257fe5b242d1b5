// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/route_table.h"

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "models/base/utf8_check.h"

namespace octet {
namespace {

using enum HttpMethod;
using enum BodyUse;
using enum RouteId;

// What is written out goes before what has braces in its place: "stats" is no model here.
constexpr std::array kRoutes = {
    Route{kStatusPage, kGet, "/", kNone, Operation::kRead, "What is served, for people"},
    Route{kMetrics, kGet, "/metrics", kNone, Operation::kRead, "Metrics for Prometheus"},
    Route{kServerMetadata, kGet, "/v2", kNone, Operation::kDescribe,
          "The server's name, version and extensions"},
    Route{kOpenApi, kGet, "/v2/openapi.json", kNone, Operation::kDescribe, "This description"},
    Route{kLive, kGet, "/v2/health/live", kNone, Operation::kHealth, "Whether the server answers"},
    Route{kReady, kGet, "/v2/health/ready", kNone, Operation::kHealth,
          "Whether it takes inference requests"},
    Route{kAllStatistics, kGet, "/v2/models/stats", kNone, Operation::kRead,
          "What all models have answered, and how fast"},
    Route{kModelMetadata, kGet, "/v2/models/{model}", kNone, Operation::kDescribe,
          "A model's inputs and outputs"},
    Route{kModelMetadata, kGet, "/v2/models/{model}/versions/{version}", kNone,
          Operation::kDescribe, "A version's inputs and outputs"},
    Route{kModelReady, kGet, "/v2/models/{model}/ready", kNone, Operation::kHealth,
          "Whether a model takes requests"},
    Route{kModelReady, kGet, "/v2/models/{model}/versions/{version}/ready", kNone,
          Operation::kHealth, "Whether a version takes requests"},
    Route{kModelConfig, kGet, "/v2/models/{model}/config", kNone, Operation::kDescribe,
          "A model's configuration, as Triton's clients read it"},
    Route{kModelConfig, kGet, "/v2/models/{model}/versions/{version}/config", kNone,
          Operation::kDescribe, "A version's configuration, as Triton's clients read it"},
    Route{kModelStatistics, kGet, "/v2/models/{model}/stats", kNone, Operation::kRead,
          "What a model's versions have answered, and how fast"},
    Route{kModelStatistics, kGet, "/v2/models/{model}/versions/{version}/stats", kNone,
          Operation::kRead, "What a version has answered, and how fast"},
    Route{kInfer, kPost, "/v2/models/{model}/infer", BodyUse::kTensors, Operation::kInfer,
          "Runs a model"},
    Route{kInfer, kPost, "/v2/models/{model}/versions/{version}/infer", BodyUse::kTensors,
          Operation::kInfer, "Runs a version of a model"},
    Route{kRepositoryIndex, kPost, "/v2/repository/index", kOptional, Operation::kRead,
          "Every version there is, and why those that do not serve do not"},
    Route{kLoad, kPost, "/v2/repository/models/{model}/load", kOptional, Operation::kManage,
          "Loads a model"},
    Route{kUnload, kPost, "/v2/repository/models/{model}/unload", kOptional, Operation::kManage,
          "Unloads a model"},
    Route{kTraceSettings, kGet, "/v2/trace/setting", kNone, Operation::kManage, "What is traced"},
    Route{kSetTraceSettings, kPost, "/v2/trace/setting", kOptional, Operation::kManage,
          "Refuses to change what is traced"},
    Route{kTraceSettings, kGet, "/v2/models/{model}/trace/setting", kNone, Operation::kManage,
          "What is traced of a model"},
    Route{kSetTraceSettings, kPost, "/v2/models/{model}/trace/setting", kOptional,
          Operation::kManage, "Refuses to change what is traced of a model"},
    Route{kLogSettings, kGet, "/v2/logging", kNone, Operation::kManage, "What is logged"},
    Route{kSetLogSettings, kPost, "/v2/logging", kOptional, Operation::kManage,
          "Refuses to change what is logged"},
    Route{kSharedMemory, kGet, "/v2/systemsharedmemory/status", kNone, Operation::kManage,
          "Not offered over HTTP"},
    Route{kSharedMemory, kGet, "/v2/cudasharedmemory/status", kNone, Operation::kManage,
          "Not offered over HTTP"},
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> PercentDecode(absl::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  if (!IsUtf8(decoded) || absl::StrContains(decoded, '\0')) return std::nullopt;
  return decoded;
}

std::optional<RouteMatch> Match(const Route& route, const std::vector<std::string>& segments) {
  RouteMatch match;
  match.route = &route;
  std::size_t next = 0;
  for (const absl::string_view wanted : absl::StrSplit(route.path + 1, '/')) {
    if (next == segments.size()) return std::nullopt;
    const std::string& got = segments[next++];
    if (wanted == "{model}" && !got.empty()) {
      match.model = got;
    } else if (wanted == "{version}" && !got.empty()) {
      match.version = got;
    } else if (wanted != got) {
      return std::nullopt;
    }
  }
  if (next != segments.size()) return std::nullopt;
  return match;
}

}  // namespace

std::span<const Route> AllRoutes() { return kRoutes; }

absl::StatusOr<RouteLookup> FindRoute(absl::string_view method, absl::string_view path) {
  if (path.empty() || path[0] != '/') {
    return absl::InvalidArgumentError("the request's target wants to begin with /");
  }
  path.remove_prefix(1);
  std::vector<std::string> segments;
  for (const absl::string_view segment : absl::StrSplit(path, '/')) {
    std::optional<std::string> decoded = PercentDecode(segment);
    if (!decoded) {
      return absl::InvalidArgumentError(
          "the request's path holds a % that no UTF-8 follows in two hexadecimal digits a byte");
    }
    segments.push_back(*std::move(decoded));
  }
  RouteLookup lookup;
  const char* matched = nullptr;
  for (const Route& route : kRoutes) {
    std::optional<RouteMatch> match = Match(route, segments);
    if (!match) continue;
    // The first path that fits is the one, with each of its methods.
    if (matched == nullptr) matched = route.path;
    if (absl::string_view(matched) != route.path) continue;
    const bool is_get = route.method == kGet;
    if (is_get ? method == "GET" || method == "HEAD" : method == "POST") {
      lookup.match = *std::move(match);
      return lookup;
    }
    absl::StrAppend(&lookup.allow, lookup.allow.empty() ? "" : ", ", is_get ? "GET, HEAD" : "POST");
  }
  return lookup;
}

}  // namespace octet
