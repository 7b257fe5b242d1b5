// SPDX-License-Identifier: Apache-2.0
// What the metrics ask of rooms that they do not know.

#pragma once

#include "server/access/access_control.h"
#include "server/access/credential_files.h"
#include "server/config/server_config.h"
#include "server/frontends/grpc/grpc_log.h"
#include "server/frontends/http/http_server.h"
#include "server/metrics/metrics.h"
#include "server/process/server_log.h"
#include "server/scheduling/scheduler.h"
#include "server/tracing/tracer.h"

namespace octet {

AccessFigures FiguresOf(const ServerConfig& config, const AccessControl& access,
                        const CredentialFiles& credentials, const GrpcLog& grpc_log,
                        const HttpServer& http);

// `tracer`: null without one.
OperationsFigures FiguresOf(const ServerLog& log, const Tracer* tracer, Scheduler& scheduler);

}  // namespace octet
