// SPDX-License-Identifier: Apache-2.0
// Flags and the configuration file to what main() passes to each room, all errors at once.

#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/runtime/attention_precision.h"
#include "server/config/access_settings.h"
#include "server/config/http_config.h"
#include "server/config/operations_config.h"
#include "server/repository/model_settings.h"

namespace octet {

// Checked: every value is in its range, and the model repository is a folder.
struct ServerConfig {
  std::string model_repository;
  std::string grpc_address = "0.0.0.0:8001";
  std::string http_address = "0.0.0.0:8000";
  std::string metrics_address = "0.0.0.0:8002";
  std::chrono::nanoseconds repository_poll = std::chrono::seconds(1);  // 0: never
  std::uint64_t max_request_bytes = 64ULL << 20;
  std::uint64_t max_buffered_bytes = 1ULL << 30;
  std::chrono::nanoseconds drain_delay{0};
  std::string state_directory;
  bool allow_management = false;
  bool allow_shared_memory = false;
  std::string shared_memory_prefix;
  std::chrono::nanoseconds tune_budget = std::chrono::seconds(60);  // 0: never
  AttentionPrecision attention_precision = AttentionPrecision::kFloat32;
  int workers = 0;  // 0: from the CPU budget
  SettingsOfModels models;
  AccessSettings access;
  OperationsConfig operations;
  HttpConfig http;
};

struct CommandLine {
  enum class Action : std::uint8_t { kServe, kCheckConfig, kHelp, kVersion };

  Action action = Action::kServe;
  ServerConfig config;  // of kServe and kCheckConfig
};

// `arguments` without the program's name. Flags are "--name value", "--name=value" and, for
// yes-or-no ones, "--name"; they override the file named by --config.
// Returns INVALID_ARGUMENT with every error, one a line, each naming the flag (or the file, line
// and key), what it got and what it wants.
absl::StatusOr<CommandLine> ParseCommandLine(std::span<const char* const> arguments);

// What --help prints.
std::string HelpText();

}  // namespace octet
