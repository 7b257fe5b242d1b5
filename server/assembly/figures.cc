// SPDX-License-Identifier: Apache-2.0
#include "server/assembly/figures.h"

#include <chrono>
#include <vector>

namespace octet {
namespace {

std::vector<AccessFigures::Limit> LimitsOf(const ServerConfig& config) {
  const ConnectionLimits& http = config.http.limits;
  const auto seconds = [](std::chrono::milliseconds time) {
    return std::chrono::duration<double>(time).count();
  };
  return {{"max_request_bytes", static_cast<double>(config.max_request_bytes)},
          {"max_buffered_bytes", static_cast<double>(config.max_buffered_bytes)},
          {"http.max_connections", static_cast<double>(config.http.max_connections)},
          {"http.max_header_bytes", static_cast<double>(http.max_header_bytes)},
          {"http.header_timeout", seconds(http.header_time)},
          {"http.idle_timeout", seconds(http.idle_time)},
          {"http.min_rate_bytes",
           static_cast<double>(http.min_bytes_in_rate_time) / seconds(http.rate_time)}};
}

}  // namespace

AccessFigures FiguresOf(const ServerConfig& config, const AccessControl& access,
                        const CredentialFiles& credentials, const GrpcLog& grpc_log,
                        const HttpServer& http) {
  AccessFigures figures;
  for (const ListenerKind listener :
       {ListenerKind::kGrpc, ListenerKind::kHttp, ListenerKind::kMetrics}) {
    const AccessControl::Refusals refusals = access.refusals(listener);
    figures.refusals.push_back(
        {ListenerKindName(listener), refusals.unauthenticated, refusals.permission_denied});
  }
  const CredentialFiles::Counts counts = credentials.counts();
  figures.reloads = {{"certificates", counts.certificates_taken, counts.certificates_refused},
                     {"access", counts.identities_taken, counts.identities_refused}};
  const HttpServer::Counts connections = http.counts();
  figures.failed_handshakes = {{"grpc", grpc_log.failed_handshakes()},
                               {"http", connections.http.failed_handshakes},
                               {"metrics", connections.metrics.failed_handshakes}};
  figures.connections = {
      {"http", connections.http.open_connections, connections.http.refused_connections},
      {"metrics", connections.metrics.open_connections, connections.metrics.refused_connections}};
  figures.http_buffered_bytes = connections.buffered_bytes;
  figures.limits = LimitsOf(config);
  if (credentials.tls() != nullptr) {
    figures.certificate_not_after =
        std::chrono::duration<double>(credentials.tls()->current()->not_after().time_since_epoch())
            .count();
  }
  return figures;
}

OperationsFigures FiguresOf(const ServerLog& log, const Tracer* tracer, Scheduler& scheduler) {
  const ServerLog::Counts lines = log.counts();
  const Tracer::Counts spans = tracer == nullptr ? Tracer::Counts() : tracer->counts();
  return {.computing_threads = scheduler.compute_threads(),
          .log_dropped_lines = lines.dropped,
          .log_suppressed_lines = lines.suppressed,
          .exported_spans = spans.exported,
          .dropped_spans = spans.dropped,
          .failed_spans = spans.failed};
}

}  // namespace octet
