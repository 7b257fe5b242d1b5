// SPDX-License-Identifier: Apache-2.0
#include "server/assembly/room_options.h"

#include "spdlog/spdlog.h"

#include "server/frontends/http/http_access.h"

namespace octet {
namespace {

const TlsProvider* TlsOf(const ServerConfig& config, const CredentialFiles& credentials,
                         ListenerKind listener) {
  return config.access.tls_of(listener).is_on ? credentials.tls() : nullptr;
}

HttpServer::Options::Tls HttpTls(const ServerConfig& config, const CredentialFiles& credentials,
                                 ListenerKind listener) {
  return {.provider = TlsOf(config, credentials, listener),
          .clients = config.access.tls_of(listener).clients};
}

}  // namespace

GrpcServer::Options GrpcOptions(const ServerConfig& config, const FrontEndRooms& rooms,
                                const std::string& version) {
  return {.address = config.grpc_address,
          .max_request_bytes = config.max_request_bytes,
          .max_buffered_bytes = config.max_buffered_bytes,
          .server_version = version,
          .loader = &rooms.loader,
          .shared_memory = rooms.shared_memory,
          .access = &rooms.access,
          .tls = TlsOf(config, rooms.credentials, ListenerKind::kGrpc),
          .client_certificates = config.access.tls_of(ListenerKind::kGrpc).clients,
          .settings = SettingsOf(config.operations)};
}

HttpServer::Options HttpOptions(const ServerConfig& config, const FrontEndRooms& rooms) {
  return {.http_address = config.http_address,
          .metrics_address = config.metrics_address,
          .max_request_bytes = config.max_request_bytes,
          .max_buffered_bytes = config.max_buffered_bytes,
          .authorize_http = AuthorizeBy(rooms.access, ListenerKind::kHttp),
          .authorize_metrics = AuthorizeBy(rooms.access, ListenerKind::kMetrics),
          .http_tls = HttpTls(config, rooms.credentials, ListenerKind::kHttp),
          .metrics_tls = HttpTls(config, rooms.credentials, ListenerKind::kMetrics)};
}

ProtocolSettings SettingsOf(const OperationsConfig& config) {
  return {.log_format = LogFormatName(config.log.format),
          .logs_info = config.log.level <= LogLevel::kInfo,
          .logs_warnings = config.log.level <= LogLevel::kWarn,
          .logs_debug = config.log.level == LogLevel::kDebug,
          .is_traced = config.tracing.has_value(),
          .trace_sample = config.tracing ? config.tracing->sample : 1};
}

std::unique_ptr<Tracer> MakeTracer(const OperationsConfig& config, const std::string& version) {
  if (!config.tracing) return nullptr;
  spdlog::info("tracing: spans to {}, and a share of {} of the requests without a trace context",
               config.tracing->url, config.tracing->sample);
  return std::make_unique<Tracer>(Tracer::Options{.endpoint = config.tracing->endpoint,
                                                  .service_name = config.tracing->service_name,
                                                  .service_version = version,
                                                  .sample = config.tracing->sample,
                                                  .max_requests = config.tracing->max_requests});
}

std::unique_ptr<RequestObserver> MakeObserver(const OperationsConfig& config, ServerLog& log,
                                              Tracer* tracer) {
  if (tracer == nullptr && !config.log_requests.logs_any()) return nullptr;
  return std::make_unique<RequestObserver>(RequestObserver::Options{
      .policy = config.log_requests,
      .log = [&log](const RequestReport& report) { log.LogRequest(report); },
      .tracer = tracer});
}

}  // namespace octet
