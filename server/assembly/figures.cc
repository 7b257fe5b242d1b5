// SPDX-License-Identifier: Apache-2.0
#include "server/assembly/figures.h"

#include <chrono>

namespace octet {

AccessFigures FiguresOf(const AccessControl& access, const CredentialFiles& credentials) {
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
