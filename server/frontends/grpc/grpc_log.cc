// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/grpc_log.h"

#include <cstdlib>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc/support/log.h"

#include "models/base/mutex.h"

namespace octet {
namespace {

// What gRPC says of each handshake that fails, whatever for, when it is asked for everything.
constexpr char kFailedHandshake[] = "Security handshake failed";

GrpcSeverity LeastWanted() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment
  const char* const asked = std::getenv("GRPC_VERBOSITY");
  const std::string name = absl::AsciiStrToLower(asked == nullptr ? "" : asked);
  if (name == "debug") return GrpcSeverity::kDebug;
  return name == "info" ? GrpcSeverity::kInfo : GrpcSeverity::kError;
}

GrpcSeverity FromGrpc(gpr_log_severity severity) {
  switch (severity) {
    case GPR_LOG_SEVERITY_DEBUG:
      return GrpcSeverity::kDebug;
    case GPR_LOG_SEVERITY_INFO:
      return GrpcSeverity::kInfo;
    case GPR_LOG_SEVERITY_ERROR:
      break;
  }
  return GrpcSeverity::kError;
}

absl::string_view FileName(absl::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

}  // namespace

// gRPC's own door for this is one function of the whole process, without an argument: whom it calls
// has to be the process's too.
struct GrpcLogDoor {
  static void Enter(gpr_log_func_args* line) {
    const MutexLock lock(mutex);
    if (current != nullptr) {
      current->Take(FromGrpc(line->severity), line->file, line->line, line->message);
    }
  }

  static Mutex mutex;
  static GrpcLog* current ABSL_GUARDED_BY(mutex);
};
Mutex GrpcLogDoor::mutex;
GrpcLog* GrpcLogDoor::current = nullptr;

GrpcSeverity SeverityOf(const std::string& source, GrpcSeverity of_grpc) {
  // TLS with a client, and what a call asks for: an encoding that is not taken, say.
  const bool is_of_client = absl::StartsWith(source, "ssl_") ||
                            absl::StartsWith(source, "security_") ||
                            absl::StartsWith(source, "call.cc:");
  return is_of_client && of_grpc == GrpcSeverity::kError ? GrpcSeverity::kWarning : of_grpc;
}

GrpcLog::GrpcLog(std::function<void(const GrpcLine&)> write)
    : write_(std::move(write)), least_(LeastWanted()) {
  {
    const MutexLock lock(GrpcLogDoor::mutex);
    GrpcLogDoor::current = this;
  }
  gpr_set_log_function(&GrpcLogDoor::Enter);
  // Failed handshakes are a line of its debug level. Without its traces there are few of those.
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_DEBUG);
}

GrpcLog::~GrpcLog() {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  gpr_set_log_function(nullptr);
  const MutexLock lock(GrpcLogDoor::mutex);
  GrpcLogDoor::current = nullptr;
}

void GrpcLog::Take(GrpcSeverity severity, const char* file, int line, const char* message) {
  if (absl::StartsWith(message, kFailedHandshake)) {
    failed_handshakes_.fetch_add(1, std::memory_order_relaxed);
  }
  if (severity < least_) return;
  const std::string source = absl::StrCat(FileName(file), ":", line);
  write_({.severity = SeverityOf(source, severity), .source = source, .message = message});
}

}  // namespace octet
