// SPDX-License-Identifier: Apache-2.0

#include "server/process/server_log.h"

#include <chrono>

#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace octet {

void StartLog() {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("octet-server"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
}

void LogOutcome(const LoadOutcome& outcome) {
  if (outcome.handle) {
    const ModelVersion& model = *outcome.handle;
    spdlog::info("loaded {} version {}: {} on {}, {} ms", model.name, model.version,
                 model.precision, model.kernel_set,
                 std::chrono::duration_cast<std::chrono::milliseconds>(model.load_time).count());
  } else {
    spdlog::error("{} version {} is not served: {}", outcome.name,
                  outcome.version.empty() ? "-" : outcome.version, DescribeFailure(outcome));
  }
  for (const std::string& warning : outcome.warnings) spdlog::warn("{}", warning);
}

}  // namespace octet
