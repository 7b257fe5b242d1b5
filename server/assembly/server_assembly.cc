// SPDX-License-Identifier: Apache-2.0
#include "server/assembly/server_assembly.h"

#include <chrono>
#include <iostream>
#include <thread>
#include <utility>

#include "spdlog/spdlog.h"

#include "models/base/status_macros.h"
#include "server/assembly/figures.h"
#include "server/assembly/room_options.h"

namespace octet {
namespace {

// What is in flight when the drain delay ends has this long to finish.
constexpr std::chrono::seconds kLongestFinish{30};
// And an answer over HTTP as long to leave.
constexpr std::chrono::seconds kLongestAnswer{5};

std::size_t ComputeThreads(const ServerConfig& config, const CpuBudget& cpus) {
  return static_cast<std::size_t>(config.workers > 0 ? config.workers : cpus.workers);
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

Scheduler::Options SchedulerOptions(std::size_t compute_threads) {
  Scheduler::Options options;
  options.compute_threads = compute_threads;
  options.on_thread_start = kernels::PrepareThread;
  return options;
}

}  // namespace

ServerAssembly::ServerAssembly(const Environment& environment)
    : environment_(environment),
      config_(environment.config),
      compute_threads_(ComputeThreads(config_, environment.cpus)),
      metrics_({.num_workers = Scheduler::NumWorkers(compute_threads_),
                .server_version = environment.version}),
      store_(config_, environment.kernels, metrics_),
      regions_({.key_prefix = config_.shared_memory_prefix,
                .max_request_bytes = config_.max_request_bytes,
                .max_copied_bytes = config_.max_buffered_bytes}),
      scheduler_(SchedulerOptions(compute_threads_), metrics_),
      service_(store_.repository(), scheduler_, metrics_,
               config_.allow_shared_memory ? &regions_ : nullptr),
      tracer_(MakeTracer(config_.operations, environment.version)),
      observer_(MakeObserver(config_.operations, environment.log, tracer_.get())),
      cpus_({.started = compute_threads_,
             .read = [] { return ReadCpuBudget(); },
             .apply = [this](std::size_t count) { scheduler_.SetComputeThreads(count); }},
            environment.cpus),
      upkeep_(config_, {store_, scheduler_, service_, metrics_}, [this] { HandleModelChange(); }),
      access_(config_.access.policy) {
  service_.SetObserver(observer_.get());
  metrics_.SetSources({[this] { return service_.is_ready(); },
                       [this] { return service_.requests_in_flight(); },
                       [this] { return FiguresOf(environment_.log, tracer_.get(), scheduler_); }});
}

absl::Status ServerAssembly::Listen() {
  ASSIGN_OR_RETURN(credentials_, CredentialFiles::Create({.tls = config_.access.tls_files,
                                                          .access_file = config_.access.access_file,
                                                          .on_event = LogCredentials},
                                                         access_));
  for (const std::string& warning : config_.access.warnings) spdlog::warn("{}", warning);
  metrics_.SetAccessSource([this] { return FiguresOf(access_, *credentials_); });

  const FrontEndRooms rooms{access_, *credentials_, upkeep_.loader(),
                            config_.allow_shared_memory ? &regions_ : nullptr};
  ASSIGN_OR_RETURN(grpc_, GrpcServer::Create(GrpcOptions(config_, rooms, environment_.version),
                                             service_, store_.repository()));
  workers_ = std::make_unique<PostedWork>(*grpc_);
  ASSIGN_OR_RETURN(
      http_,
      HttpServer::Create(HttpOptions(config_, rooms),
                         {store_.repository(), metrics_, [this] { return service_.is_ready(); },
                          [this] { return service_.requests_in_flight(); }, environment_.version,
                          &upkeep_.loader(), SettingsOf(config_.operations),
                          [this] { return service_.state() == ServerState::kDraining; }},
                         {&service_, workers_.get()}));
  return absl::OkStatus();
}

void ServerAssembly::HandleModelChange() {
  // Of a server that had nothing to serve when it started.
  const bool waits = service_.state() == ServerState::kDraining;
  if (!waits || store_.repository().ReadyVersions().empty()) return;
  service_.SetState(ServerState::kServing);
  grpc_->NotifyStateChanged();
}

void ServerAssembly::ServeUntilStopped() {
  const bool serves_any = !store_.repository().ReadyVersions().empty();
  if (!serves_any) spdlog::error("{}: no model to serve: unready", config_.model_repository);
  service_.SetState(serves_any ? ServerState::kServing : ServerState::kDraining);
  grpc_->NotifyStateChanged();
  upkeep_.Start();
  std::cout << "octet-server ready grpc=" << grpc_->address() << " http=" << http_->http_address()
            << " metrics=" << http_->metrics_address() << std::endl;

  const bool follows_cpus = config_.workers == 0;
  while (
      !environment_.stop.WaitUntil(std::chrono::steady_clock::now() + CpuBudgetWatch::kInterval)) {
    if (follows_cpus) cpus_.Look();
  }
  upkeep_.Stop();
  spdlog::info("draining: unready, {} requests in flight; a second signal ends at once",
               service_.requests_in_flight());
  service_.SetState(ServerState::kDraining);
  grpc_->NotifyStateChanged();
  std::this_thread::sleep_for(config_.drain_delay);
}

void ServerAssembly::End() {
  upkeep_.Stop();
  http_->EndConnections();
  grpc_->Shutdown(std::chrono::steady_clock::now() + kLongestFinish);
  scheduler_.Join();
  // Every request that was read is answered: the answers are on their way.
  http_->Finish(std::chrono::steady_clock::now() + kLongestAnswer);
}

absl::Status ServerAssembly::Serve() {
  credentials_->Start();
  scheduler_.Start(*workers_);
  const absl::Status loaded = upkeep_.LoadAll([this] { return !environment_.stop.HasCome(); });
  if (loaded.ok()) ServeUntilStopped();
  End();
  return absl::IsCancelled(loaded) ? absl::OkStatus() : loaded;
}

}  // namespace octet
