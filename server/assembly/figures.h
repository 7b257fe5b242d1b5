// SPDX-License-Identifier: Apache-2.0
// What the metrics ask of rooms that they do not know.

#pragma once

#include "server/access/access_control.h"
#include "server/access/credential_files.h"
#include "server/metrics/metrics.h"
#include "server/process/server_log.h"
#include "server/scheduling/scheduler.h"
#include "server/tracing/tracer.h"

namespace octet {

AccessFigures FiguresOf(const AccessControl& access, const CredentialFiles& credentials);

// `tracer`: null without one.
OperationsFigures FiguresOf(const ServerLog& log, const Tracer* tracer, Scheduler& scheduler);

}  // namespace octet
