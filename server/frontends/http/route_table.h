// SPDX-License-Identifier: Apache-2.0
// Every path there is, and the methods it has: what requests are routed by and what the OpenAPI
// document is made from.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/access/operation.h"

namespace octet {

enum class RouteId : std::uint8_t {
  kStatusPage,
  kMetrics,
  kServerMetadata,
  kOpenApi,
  kLive,
  kReady,
  kModelMetadata,
  kModelReady,
  kModelConfig,
  kModelStatistics,
  kAllStatistics,
  kInfer,
  kRepositoryIndex,
  kLoad,
  kUnload,
  kTraceSettings,
  kSetTraceSettings,
  kLogSettings,
  kSetLogSettings,
  kSharedMemory,
};

enum class HttpMethod : std::uint8_t { kGet, kPost };

enum class BodyUse : std::uint8_t {
  kNone,      // whatever comes is read and dropped, if it is small
  kOptional,  // JSON, small
  kTensors,   // tensors: JSON or binary; its length has to be told
};

struct Route {
  RouteId id;
  HttpMethod method;
  // Segments in braces stand for any text.
  const char* path;
  BodyUse body;
  Operation operation;  // who may ask for it
  const char* summary;
};

std::span<const Route> AllRoutes();

// A route, and what its braces stood for, in their order: a model's name, a version.
struct RouteMatch {
  const Route* route = nullptr;
  std::string model;
  std::string version;
};

struct RouteLookup {
  RouteMatch match;
  // Without a route: the methods that the path has, as Allow tells them; empty for no such path.
  std::string allow;
};

// `path` without its query, as it came: percent-encoded. HEAD is GET's.
// Returns INVALID_ARGUMENT for a path that cannot be decoded, and one that does not begin with /.
absl::StatusOr<RouteLookup> FindRoute(absl::string_view method, absl::string_view path);

}  // namespace octet
