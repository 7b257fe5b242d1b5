// SPDX-License-Identifier: Apache-2.0
// Builds every room from the configuration, starts them, waits for a signal, drains.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

#include "kernels/kernel_set.h"
#include "models/base/cpu_budget.h"
#include "models/base/status_macros.h"
#include "models/operators/operators.h"
#include "models/runtime/cost_curve_cache.h"
#include "models/runtime/kernel_choices_file.h"
#include "server/access/access_control.h"
#include "server/access/credential_files.h"
#include "server/config/server_config.h"
#include "server/frontends/grpc/grpc_log.h"
#include "server/frontends/grpc/grpc_server.h"
#include "server/frontends/http/http_access.h"
#include "server/frontends/http/http_server.h"
#include "server/inference/inference_service.h"
#include "server/inference/request_observer.h"
#include "server/metrics/metrics.h"
#include "server/process/cpu_budget_watch.h"
#include "server/process/server_log.h"
#include "server/process/stop_signals.h"
#include "server/repository/bundle_loader.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_loader.h"
#include "server/repository/store_watcher.h"
#include "server/scheduling/posted_work.h"
#include "server/scheduling/scheduler.h"
#include "server/shared_memory/shared_memory_regions.h"
#include "server/tracing/tracer.h"
#include "server/tuning/tuner.h"
#include "server/tuning/tuning_thread.h"

namespace octet {
namespace {

constexpr char kVersion[] = OCTET_VERSION;
// What is in flight when the drain delay ends has this long to finish.
constexpr std::chrono::seconds kLongestFinish{30};
// And an answer over HTTP as long to leave.
constexpr std::chrono::seconds kLongestAnswer{5};

absl::StatusOr<const kernels::KernelSet*> ChooseKernelSet() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment
  const char* const wanted = std::getenv("OCTET_KERNEL_SET");
  const kernels::KernelSetSelection selection = kernels::SelectKernelSet(wanted);
  if (selection.set == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("OCTET_KERNEL_SET: ", selection.error));
  }
  return selection.set;
}

// A file that outlives the server; empty without a state directory.
std::string StatePath(const ServerConfig& config, absl::string_view name) {
  return config.state_directory.empty() ? "" : absl::StrCat(config.state_directory, "/", name);
}

// What was measured before; null without a path.
std::shared_ptr<const KernelChoices> StoredChoices(const std::string& path) {
  if (path.empty()) return nullptr;
  StoredKernelChoices stored = ReadKernelChoices(path);
  if (!stored.warning.empty()) spdlog::warn("kernel choices: {}", stored.warning);
  spdlog::info("kernel choices: {} layers in {}, fixed rules for the others",
               stored.choices.entries().size(), path);
  return std::make_shared<const KernelChoices>(std::move(stored.choices));
}

// Says so where attention was allowed to be less precise than float32.
void LogAttentionPrecision(AttentionPrecision precision, const kernels::KernelSet& kernels) {
  if (precision == AttentionPrecision::kFloat32) return;
  const kernels::ReducedAttention* const reduced = kernels.reduced_attention();
  spdlog::info("attention precision: {}",
               reduced == nullptr ? std::string("float32, this CPU is faster at nothing less")
                                  : std::string(reduced->name));
}

// Files that hold what is secret: what became of them, without anything that they say.
void LogCredentials(CredentialFiles::Outcome outcome, const std::string& message) {
  switch (outcome) {
    case CredentialFiles::Outcome::kTaken:
      return spdlog::info("{}", message);
    case CredentialFiles::Outcome::kWarning:
      return spdlog::warn("{}", message);
    case CredentialFiles::Outcome::kRefused:
      return spdlog::error("{}", message);
  }
}

// gRPC's own lines, in the log's form and within its limits.
void LogGrpc(ServerLog& log, const GrpcLine& line) {
  constexpr std::array kLevels = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn,
                                  LogLevel::kError};
  log.LogLibrary(kLevels[static_cast<std::size_t>(line.severity)], "gRPC", line.source,
                 line.message);
}

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

// Half of what requests may hold is HTTP's to take; gRPC has what HTTP does not hold.
HttpServer::Options HttpOptions(const ServerConfig& config, const AccessControl& access,
                                const CredentialFiles& credentials, GrpcServer& grpc) {
  const auto tls_of = [&](ListenerKind listener) -> HttpServer::Options::Tls {
    const AccessSettings::Tls& tls = config.access.tls_of(listener);
    return {.provider = tls.is_on ? credentials.tls() : nullptr, .clients = tls.clients};
  };
  return {.http_address = config.http_address,
          .metrics_address = config.metrics_address,
          .max_connections = config.http.max_connections,
          .limits = config.http.limits,
          .max_request_bytes = config.max_request_bytes,
          .max_buffered_bytes = config.max_buffered_bytes / 2,
          .on_buffered =
              [&grpc, all = config.max_buffered_bytes](std::size_t http) {
                grpc.SetMaxBufferedBytes(all - std::min(http, all / 2));
              },
          .authorize_http = AuthorizeBy(access, ListenerKind::kHttp),
          .authorize_metrics = AuthorizeBy(access, ListenerKind::kMetrics),
          .http_tls = tls_of(ListenerKind::kHttp),
          .metrics_tls = tls_of(ListenerKind::kMetrics)};
}

// What works beside the requests, until the drain.
struct Background {
  TuningThread& tuning;
  RepositoryLoader& loading;
  StoreWatcher& watcher;
  CpuBudgetWatch* cpus;  // null: the number of threads was given
};

// Spans to the collector that the configuration names; null without one.
std::unique_ptr<Tracer> MakeTracer(const OperationsConfig& config) {
  if (!config.tracing) return nullptr;
  // Without the path: somebody's collector may have a key in it.
  spdlog::info("tracing: spans to {}:{}, and a share of {} of the requests without a trace context",
               config.tracing->endpoint.host, config.tracing->endpoint.port,
               config.tracing->sample);
  return std::make_unique<Tracer>(Tracer::Options{.endpoint = config.tracing->endpoint,
                                                  .service_name = config.tracing->service_name,
                                                  .service_version = kVersion,
                                                  .sample = config.tracing->sample,
                                                  .max_requests = config.tracing->max_requests});
}

// Null where nobody wants to know of single requests.
std::unique_ptr<RequestObserver> MakeObserver(const OperationsConfig& config, ServerLog& log,
                                              Tracer* tracer) {
  if (tracer == nullptr && !config.log_requests.logs_any()) return nullptr;
  return std::make_unique<RequestObserver>(RequestObserver::Options{
      .policy = config.log_requests,
      .log = [&log](const RequestReport& report) { log.LogRequest(report); },
      .tracer = tracer});
}

// What clients are told of log and traces.
ProtocolSettings SettingsOf(const OperationsConfig& config) {
  return {.log_format = LogFormatName(config.log.format),
          .logs_info = config.log.level <= LogLevel::kInfo,
          .logs_warnings = config.log.level <= LogLevel::kWarn,
          .logs_debug = config.log.level == LogLevel::kDebug,
          .is_traced = config.tracing.has_value(),
          .trace_sample = config.tracing ? config.tracing->sample : 1};
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

// Serves until the first signal, and then until what came before the end of the drain delay is
// answered.
void ServeUntilStopped(const ServerConfig& config, const HttpServer& http, GrpcServer& grpc,
                       InferenceService& service, const Background& background, StopSignals& stop) {
  std::cout << "octet-server ready grpc=" << grpc.address() << " http=" << http.http_address()
            << " metrics=" << http.metrics_address() << std::endl;
  while (!stop.WaitUntil(std::chrono::steady_clock::now() + CpuBudgetWatch::kInterval)) {
    if (background.cpus) background.cpus->Look();
  }
  background.watcher.Stop();
  background.tuning.Stop();
  background.loading.Stop();
  spdlog::info("draining: unready, {} requests in flight; a second signal ends at once",
               service.requests_in_flight());
  service.SetState(ServerState::kDraining);
  grpc.NotifyStateChanged();
  std::this_thread::sleep_for(config.drain_delay);
}

absl::Status Serve(const ServerConfig& config, ServerLog& log, StopSignals& stop) {
  const GrpcLog grpc_log([&log](const GrpcLine& line) { LogGrpc(log, line); });
  kernels::PrepareThread();
  ASSIGN_OR_RETURN(const kernels::KernelSet* const kernel_set, ChooseKernelSet());
  const CpuBudget budget = ReadCpuBudget();
  const auto compute_threads =
      static_cast<std::size_t>(config.workers > 0 ? config.workers : budget.workers);
  spdlog::info("octet-server {}: kernels {}, oneDNN {}, {} computing threads ({} CPUs{})", kVersion,
               std::string(kernel_set->name), kernels::OneDnnVersion(), compute_threads,
               budget.affinity_cpus,
               budget.quota_cpus ? fmt::format(", quota {:.2f}", *budget.quota_cpus) : "");

  LogAttentionPrecision(config.attention_precision, *kernel_set);

  // Bottom to top; destroyed in the opposite order.
  Metrics metrics(
      {.num_workers = Scheduler::NumWorkers(compute_threads), .server_version = kVersion});
  const OperatorRegistry operators = BuiltInOperators();
  const std::string choices_path = StatePath(config, "kernel-choices.txt");
  const std::shared_ptr<const KernelChoices> choices = StoredChoices(choices_path);
  CostCurveCache costs(StatePath(config, "cost-curves.txt"));
  if (!costs.warning().empty()) spdlog::warn("cost curves: {}", costs.warning());
  const BundleLoader loader(
      {.compile = {.choices = choices, .attention_precision = config.attention_precision},
       .kernel_set_name = std::string(kernel_set->name),
       .costs = &costs},
      operators, *kernel_set, metrics);
  ModelRepository repository(config.models);
  SharedMemoryRegions regions({.key_prefix = config.shared_memory_prefix,
                               .max_request_bytes = config.max_request_bytes,
                               .max_copied_bytes = config.max_buffered_bytes});
  SharedMemoryRegions* const shared_memory = config.allow_shared_memory ? &regions : nullptr;
  Scheduler::Options scheduling;
  scheduling.compute_threads = compute_threads;
  scheduling.on_thread_start = kernels::PrepareThread;
  Scheduler scheduler(scheduling, metrics);
  InferenceService service(repository, scheduler, metrics, shared_memory);
  const std::unique_ptr<Tracer> tracer = MakeTracer(config.operations);
  const std::unique_ptr<RequestObserver> observer =
      MakeObserver(config.operations, log, tracer.get());
  service.SetObserver(observer.get());
  CpuBudgetWatch cpus({.started = compute_threads,
                       .read = [] { return ReadCpuBudget(); },
                       .apply = [&](std::size_t count) { scheduler.SetComputeThreads(count); }},
                      budget);
  GrpcServer* front_end = nullptr;  // once there is one
  TuningThread tuning([&service] { return service.gate().counts(); }, kernels::PrepareThread);
  RepositoryLoader loading(
      {.path = config.model_repository,
       .models = config.models,
       .on_outcome = LogOutcome,
       .on_change =
           [&service, &repository, &front_end, &tuning] {
             tuning.NotifyChange();
             // Of a server that had nothing to serve when it started.
             if (service.state() != ServerState::kDraining || repository.ReadyVersions().empty()) {
               return;
             }
             service.SetState(ServerState::kServing);
             front_end->NotifyStateChanged();
           },
       .on_thread_start = kernels::PrepareThread},
      {loader, repository, metrics, &scheduler});
  StoreWatcher watcher(
      {.path = config.model_repository, .poll = config.repository_poll},
      [&loading](std::vector<StoredModel> listing) { loading.SetListing(std::move(listing)); });
  Tuner::Options tuner_options;
  tuner_options.choices_path = choices_path;
  tuner_options.budget = config.tune_budget;
  const auto tuner = std::make_shared<Tuner>(
      tuner_options, choices, Tuner::Served{loader, repository, scheduler, metrics, costs}, tuning);
  const auto is_ready = [&service] { return service.is_ready(); };
  const auto in_flight = [&service] { return service.requests_in_flight(); };
  metrics.SetSources(
      {is_ready, in_flight, [&] { return FiguresOf(log, tracer.get(), scheduler); }});
  AccessControl access(config.access.policy);
  ASSIGN_OR_RETURN(const std::unique_ptr<CredentialFiles> credentials,
                   CredentialFiles::Create({.tls = config.access.tls_files,
                                            .access_file = config.access.access_file,
                                            .on_event = LogCredentials},
                                           access));
  for (const std::string& warning : config.access.warnings) spdlog::warn("{}", warning);
  const auto tls_of = [&config, &credentials](ListenerKind listener) {
    return config.access.tls_of(listener).is_on ? credentials->tls() : nullptr;
  };
  ASSIGN_OR_RETURN(
      const std::unique_ptr<GrpcServer> grpc,
      GrpcServer::Create({.address = config.grpc_address,
                          .max_request_bytes = config.max_request_bytes,
                          .max_buffered_bytes = config.max_buffered_bytes,
                          .server_version = kVersion,
                          .loader = &loading,
                          .shared_memory = shared_memory,
                          .access = &access,
                          .tls = tls_of(ListenerKind::kGrpc),
                          .client_certificates = config.access.tls_of(ListenerKind::kGrpc).clients,
                          .settings = SettingsOf(config.operations)},
                         service, repository));
  front_end = grpc.get();
  PostedWork workers(*grpc);
  const auto is_draining = [&service] { return service.state() == ServerState::kDraining; };
  ASSIGN_OR_RETURN(const std::unique_ptr<HttpServer> http,
                   HttpServer::Create(HttpOptions(config, access, *credentials, *grpc),
                                      {repository, metrics, is_ready, in_flight, kVersion, &loading,
                                       SettingsOf(config.operations), is_draining},
                                      {&service, &workers}));
  metrics.SetAccessSource([&] { return FiguresOf(config, access, *credentials, grpc_log, *http); });

  credentials->Start();
  scheduler.Start(workers);
  const absl::Status loaded = loading.LoadAll([&stop] { return !stop.HasCome(); });
  if (loaded.ok()) {
    const bool serves_any = !repository.ReadyVersions().empty();
    if (!serves_any) spdlog::error("{}: no model to serve: unready", config.model_repository);
    service.SetState(serves_any ? ServerState::kServing : ServerState::kDraining);
    grpc->NotifyStateChanged();
    loading.Start();
    if (config.repository_poll.count() > 0) watcher.Start();
    if (config.tune_budget.count() > 0) tuning.Start([tuner] { tuner->Run(); });
    ServeUntilStopped(config, *http, *grpc, service,
                      {tuning, loading, watcher, config.workers > 0 ? nullptr : &cpus}, stop);
  }
  loading.Stop();
  http->EndConnections();
  grpc->Shutdown(std::chrono::steady_clock::now() + kLongestFinish);
  scheduler.Join();
  // Every request that was read is answered: the answers are on their way.
  http->Finish(std::chrono::steady_clock::now() + kLongestAnswer);
  return absl::IsCancelled(loaded) ? absl::OkStatus() : loaded;
}

int Main(std::span<const char* const> arguments) {
  StopSignals stop;

  const absl::StatusOr<CommandLine> line = ParseCommandLine(arguments);
  if (!line.ok()) {
    std::cerr << line.status().message() << "\n";
    return 2;
  }
  if (line->action == CommandLine::Action::kHelp) std::cout << HelpText();
  if (line->action == CommandLine::Action::kVersion)
    std::cout << "octet-server " << kVersion << "\n";
  if (line->action == CommandLine::Action::kCheckConfig) std::cout << "configuration is valid\n";
  if (line->action != CommandLine::Action::kServe) return 0;
  ServerLog log(line->config.operations.log);
  const absl::Status status = Serve(line->config, log, stop);
  if (status.ok()) return 0;
  spdlog::critical("{}", std::string(status.message()));
  return 1;
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  return octet::Main(std::span<const char* const>(argv, static_cast<std::size_t>(argc)).subspan(1));
}
