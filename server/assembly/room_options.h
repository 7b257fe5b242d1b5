// SPDX-License-Identifier: Apache-2.0
// The configuration as options of the rooms that take more than a few of its keys.

#pragma once

#include <memory>
#include <string>

#include "server/access/access_control.h"
#include "server/access/credential_files.h"
#include "server/config/operations_config.h"
#include "server/config/server_config.h"
#include "server/frontends/grpc/grpc_server.h"
#include "server/frontends/http/http_server.h"
#include "server/inference/protocol_settings.h"
#include "server/inference/request_observer.h"
#include "server/process/server_log.h"
#include "server/tracing/tracer.h"

namespace octet {

// What the front ends need of others; borrowed for as long as they live.
struct FrontEndRooms {
  const AccessControl& access;
  const CredentialFiles& credentials;
  RepositoryLoader& loader;
  SharedMemoryRegions* shared_memory = nullptr;  // null: clients cannot register any
};

GrpcServer::Options GrpcOptions(const ServerConfig& config, const FrontEndRooms& rooms,
                                const std::string& version);
HttpServer::Options HttpOptions(const ServerConfig& config, const FrontEndRooms& rooms);

// What clients are told of log and traces.
ProtocolSettings SettingsOf(const OperationsConfig& config);

// Spans to the collector that the configuration names; null without one.
std::unique_ptr<Tracer> MakeTracer(const OperationsConfig& config, const std::string& version);

// Null where nobody wants to know of single requests. `log` and `tracer` are borrowed; `tracer` may
// be null.
std::unique_ptr<RequestObserver> MakeObserver(const OperationsConfig& config, ServerLog& log,
                                              Tracer* tracer);

}  // namespace octet
