// SPDX-License-Identifier: Apache-2.0

#include "server/config/operations_config.h"

#include <algorithm>
#include <cstdlib>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "proto/octet/config/v1/config.pb.h"

namespace octet {
namespace {

using Origin = std::function<std::string(const std::string&)>;
using Errors = std::vector<std::string>;

constexpr std::uint32_t kMostRequests = 1U << 20;
constexpr std::size_t kMostNameBytes = 256;

// Empty is as good as not set.
std::string Environment(const char* name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void CheckShare(const std::string& path, double share, Errors& errors) {
  if (share >= 0 && share <= 1) return;
  errors.push_back(absl::StrCat(path, ": got ", share, ", wants a share from 0 to 1"));
}

void TakeLog(const config::v1::ServerConfig& message, const Origin& origin,
             OperationsConfig& config, Errors& errors) {
  if (message.has_log_format()) {
    const auto format = ParseLogFormat(message.log_format());
    config.log.format = format.value_or(LogFormat::kText);
    if (!format) {
      errors.push_back(absl::StrCat(origin("log_format"), ": got ", Quoted(message.log_format()),
                                    ", wants text or json"));
    }
  }
  if (message.has_log_level()) {
    const auto level = ParseLogLevel(message.log_level());
    config.log.level = level.value_or(LogLevel::kInfo);
    if (!level) {
      errors.push_back(absl::StrCat(origin("log_level"), ": got ", Quoted(message.log_level()),
                                    ", wants debug, info, warn or error"));
    }
  }
  const config::v1::RequestLog& requests = message.log_requests();
  const std::string path = origin("log_requests");
  CheckShare(absl::StrCat(path, ".sample"), requests.sample(), errors);
  constexpr std::int64_t kMostSeconds = 3600;
  if (requests.slow().seconds() > kMostSeconds) {
    errors.push_back(absl::StrCat(path, ".slow: got ", requests.slow().seconds(),
                                  "s, wants at most ", kMostSeconds, "s"));
  }
  config.log_requests = {.sample = requests.sample(),
                         .logs_errors = requests.errors(),
                         .slow = std::chrono::seconds(requests.slow().seconds()) +
                                 std::chrono::nanoseconds(requests.slow().nanos())};
}

// A collector's address, and who named it.
struct NamedEndpoint {
  std::string url;
  std::string path;
  EndpointKind kind = EndpointKind::kBase;
};

NamedEndpoint FindEndpoint(const config::v1::Tracing& tracing, const Origin& origin) {
  if (tracing.has_endpoint()) {
    return {.url = tracing.endpoint(), .path = absl::StrCat(origin("tracing"), ".endpoint")};
  }
  if (absl::EqualsIgnoreCase(Environment("OTEL_SDK_DISABLED"), "true")) return {};
  constexpr char kWhole[] = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  constexpr char kBase[] = "OTEL_EXPORTER_OTLP_ENDPOINT";
  if (std::string url = Environment(kWhole); !url.empty()) {
    return {.url = std::move(url), .path = kWhole, .kind = EndpointKind::kWhole};
  }
  return {.url = Environment(kBase), .path = kBase};
}

void TakeTracing(const config::v1::ServerConfig& message, const Origin& origin,
                 OperationsConfig& config, Errors& errors) {
  const config::v1::Tracing& given = message.tracing();
  const std::string path = origin("tracing");
  TracingConfig tracing;
  if (given.has_sample()) tracing.sample = given.sample();
  CheckShare(absl::StrCat(path, ".sample"), tracing.sample, errors);
  if (given.has_max_requests()) tracing.max_requests = given.max_requests();
  if (tracing.max_requests < 1 || tracing.max_requests > kMostRequests) {
    errors.push_back(absl::StrCat(path, ".max_requests: got ", tracing.max_requests,
                                  ", wants 1 to ", kMostRequests));
  }
  if (std::string name = Environment("OTEL_SERVICE_NAME"); !name.empty()) {
    tracing.service_name = std::move(name);
  }
  if (given.has_service_name()) tracing.service_name = given.service_name();
  const bool is_printable =
      std::all_of(tracing.service_name.begin(), tracing.service_name.end(),
                  [](char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)); });
  if (tracing.service_name.empty() || tracing.service_name.size() > kMostNameBytes ||
      !is_printable) {
    errors.push_back(absl::StrCat(
        given.has_service_name() ? absl::StrCat(path, ".service_name") : "OTEL_SERVICE_NAME",
        ": got ", Quoted(tracing.service_name), ", wants 1 to ", kMostNameBytes,
        " printable characters"));
  }
  const NamedEndpoint named = FindEndpoint(given, origin);
  if (named.url.empty() && !given.has_endpoint()) return;
  absl::StatusOr<CollectorEndpoint> endpoint = ParseCollectorEndpoint(named.url, named.kind);
  if (!endpoint.ok()) {
    errors.push_back(absl::StrCat(named.path, ": ", endpoint.status().message()));
    return;
  }
  tracing.endpoint = *std::move(endpoint);
  tracing.url = named.url;
  config.tracing = std::move(tracing);
}

}  // namespace

void TakeOperations(const config::v1::ServerConfig& message, const Origin& origin,
                    OperationsConfig& config, Errors& errors) {
  TakeLog(message, origin, config, errors);
  TakeTracing(message, origin, config, errors);
}

}  // namespace octet
