// SPDX-License-Identifier: Apache-2.0
// What concerns running the server, of flags, file and environment: its log and its traces.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/inference/request_observer.h"
#include "server/process/server_log.h"
#include "server/tracing/collector_client.h"

namespace octet::config::v1 {
class ServerConfig;
}

namespace octet {

// Checked: every value is in its range.
struct TracingConfig {
  CollectorEndpoint endpoint;
  std::string url;  // of it, as it was given
  std::string service_name = "octet";
  double sample = 1;
  std::size_t max_requests = 2048;
};

struct OperationsConfig {
  ServerLog::Options log;
  RequestLogPolicy log_requests;
  std::optional<TracingConfig> tracing;  // nullopt: there is no collector
};

// Fills `config` from the message, and, where that says nothing, from OpenTelemetry's environment:
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME; and
// OTEL_SDK_DISABLED, which turns tracing off. Adds to `errors`; `origin` says where a field came
// from.
void TakeOperations(const config::v1::ServerConfig& message,
                    const std::function<std::string(const std::string&)>& origin,
                    OperationsConfig& config, std::vector<std::string>& errors);

}  // namespace octet
