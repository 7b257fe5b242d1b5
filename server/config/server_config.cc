// SPDX-License-Identifier: Apache-2.0

#include "server/config/server_config.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"

#include "models/base/quoted.h"
#include "proto/octet/config/v1/config.pb.h"
#include "server/config/address.h"
#include "server/config/field_value.h"
#include "server/config/http_config.h"
#include "server/config/model_entries.h"
#include "server/config/operations_config.h"
#include "server/config/yaml_message.h"
#include "server/repository/store_listing.h"
#include "server/shared_memory/shared_memory_region.h"

namespace octet {
namespace {

using google::protobuf::FieldDescriptor;
using ConfigMessage = config::v1::ServerConfig;

// One flag that is also a key of the file. A test compares these with the message's fields and with
// docs/configuration.md.
struct Flag {
  const char* field;
  const char* value;  // how --help calls its value; empty for yes or no
  const char* help;
};
constexpr std::array kFlags = {
    Flag{"model_repository", "DIR", "folder of <model>/<version>/ bundles; required"},
    Flag{"grpc_address", "ADDRESS", "gRPC, default 0.0.0.0:8001"},
    Flag{"http_address", "ADDRESS", "REST, health and the status page, default 0.0.0.0:8000"},
    Flag{"metrics_address", "ADDRESS", "Prometheus metrics, default 0.0.0.0:8002"},
    Flag{"max_request_bytes", "SIZE", "largest request taken, default 64MiB"},
    Flag{"max_buffered_bytes", "SIZE",
         "memory for requests that are coming in, default 1GiB or four of the largest"},
    Flag{"drain_delay", "DURATION",
         "keep serving this long after the first SIGTERM, unready, default 0s"},
    Flag{"workers", "N", "threads that compute at once, default 0: what CPUs and quota allow"},
    Flag{"repository_poll", "DURATION",
         "look for new, changed and removed versions this often, default 1s; 0 never"},
    Flag{"state_directory", "DIR",
         "what outlives the server: kernel-choices.txt, what was measured of layers"},
    Flag{"tune_budget", "DURATION",
         "most time to measure kernel choices in, while idle, default 60s; 0 never"},
    Flag{"attention_precision", "float32|fastest",
         "fastest: less precise where this CPU gains by it, default float32"},
    Flag{"allow_management", "", "let everybody load and unload models and change settings"},
    Flag{"tls_certificate", "FILE.pem",
         "serve TLS with this certificate chain, read anew when changed"},
    Flag{"tls_key", "FILE.pem", "its private key"},
    Flag{"tls_client_ca", "FILE.pem", "only clients with a certificate of these issuers"},
    Flag{"access_file", "FILE", "tokens and client certificates, with roles: who may do what"},
    Flag{"log_format", "text|json", "how lines of the log look, default text"},
    Flag{"log_level", "LEVEL", "debug, info, warn or error, default info"},
    Flag{"allow_shared_memory", "", "take tensors in shared memory from clients of this machine"},
    Flag{"shared_memory_prefix", "TEXT", "only of keys that begin with it, default any"},
};

constexpr std::uint64_t kLeastRequestBytes = 1024;
constexpr std::uint64_t kMostRequestBytes = (1ULL << 31) - 1;  // gRPC's own limit
constexpr std::uint64_t kBufferedRequests = 4;  // of the largest size, that there is room for
constexpr std::chrono::hours kLongestDuration{1};
constexpr int kMostWorkers = 1024;

std::string FlagName(absl::string_view field) {
  return absl::StrCat("--", absl::StrReplaceAll(field, {{"_", "-"}}));
}

// Where each value came from, for messages: "--workers" or "octet.yaml: workers".
class Origins {
 public:
  explicit Origins(std::string file) : file_(std::move(file)) {}
  void SetByFlag(const std::string& field) { by_flag_.insert(field); }
  [[nodiscard]] std::string Of(const std::string& field) const {
    if (by_flag_.contains(field) || file_.empty()) return FlagName(field);
    return absl::StrCat(file_, ": ", field);
  }

 private:
  std::string file_;
  std::set<std::string> by_flag_;
};

struct ParsedFlags {
  CommandLine::Action action = CommandLine::Action::kServe;
  std::string config_file;
  ConfigMessage values;
  std::vector<std::string> fields;
};

// The flag's value: after "=", or the next argument. nullopt if there is none.
std::optional<std::string> TakeValue(std::optional<std::string> attached,
                                     std::span<const char* const> arguments, std::size_t& index) {
  if (attached) return attached;
  if (index + 1 >= arguments.size() || absl::StartsWith(arguments[index + 1], "--")) {
    return std::nullopt;
  }
  return std::string(arguments[++index]);
}

// Whether a flag can say it, and not the file alone.
bool IsOneValue(const FieldDescriptor& field) {
  if (field.is_repeated()) return false;
  return field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
         field.message_type()->full_name() == "google.protobuf.Duration";
}

// One argument and, where it takes one, its value.
void ParseArgument(std::span<const char* const> arguments, std::size_t& index, ParsedFlags& parsed,
                   std::vector<std::string>& errors) {
  absl::string_view name = arguments[index];
  if (name == "-h" || name == "--help") {
    parsed.action = CommandLine::Action::kHelp;
    return;
  }
  if (!absl::StartsWith(name, "--")) {
    errors.push_back(absl::StrCat("got \"", name, "\", wants flags only; --help lists them"));
    return;
  }
  std::optional<std::string> attached;
  if (const std::size_t equals = name.find('='); equals != absl::string_view::npos) {
    attached = std::string(name.substr(equals + 1));
    name = name.substr(0, equals);
  }
  if (name == "--version" || name == "--check-config") {
    if (attached) errors.push_back(absl::StrCat(name, ": takes no value"));
    parsed.action =
        name == "--version" ? CommandLine::Action::kVersion : CommandLine::Action::kCheckConfig;
    return;
  }
  if (name == "--config") {
    const std::optional<std::string> value = TakeValue(attached, arguments, index);
    if (!value || value->empty()) {
      errors.emplace_back("--config: wants the path of a YAML file");
    } else {
      parsed.config_file = *value;
    }
    return;
  }
  const std::string field_name = absl::StrReplaceAll(absl::StripPrefix(name, "--"), {{"-", "_"}});
  const FieldDescriptor* field = ConfigMessage::descriptor()->FindFieldByName(field_name);
  if (field == nullptr || !IsOneValue(*field) || absl::StrContains(name, "_")) {
    errors.push_back(absl::StrCat(name, ": unknown flag; --help lists them"));
    return;
  }
  std::optional<std::string> value;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
    value = attached.value_or("true");
  } else {
    value = TakeValue(attached, arguments, index);
  }
  if (!value) {
    errors.push_back(absl::StrCat(name, ": wants a value"));
    return;
  }
  const absl::Status status = SetField(*value, *field, parsed.values);
  if (!status.ok()) errors.push_back(absl::StrCat(name, ": ", status.message()));
  parsed.fields.push_back(field_name);
}

void ReadConfigFile(const std::string& path, ConfigMessage& message,
                    std::vector<std::string>& errors) {
  constexpr std::size_t kMostBytes = 1U << 20;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (std::error_code error; file && std::filesystem::is_regular_file(path, error)) {
    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  } else {
    errors.push_back(absl::StrCat("--config: cannot read \"", path, "\", wants a YAML file"));
    return;
  }
  if (text.size() > kMostBytes) {
    errors.push_back(absl::StrCat("--config: \"", path, "\" has ", text.size(),
                                  " bytes, wants at most ", kMostBytes));
    return;
  }
  const std::vector<std::string> found = FillFromYaml(text, path, message);
  errors.insert(errors.end(), found.begin(), found.end());
}

std::chrono::nanoseconds ToChrono(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

ServerConfig FromMessage(const ConfigMessage& message) {
  ServerConfig config;
  config.model_repository = message.model_repository();
  if (message.has_grpc_address()) config.grpc_address = message.grpc_address();
  if (message.has_http_address()) config.http_address = message.http_address();
  if (message.has_metrics_address()) config.metrics_address = message.metrics_address();
  if (message.has_repository_poll()) config.repository_poll = ToChrono(message.repository_poll());
  if (message.has_max_request_bytes()) config.max_request_bytes = message.max_request_bytes();
  config.max_buffered_bytes =
      message.has_max_buffered_bytes()
          ? message.max_buffered_bytes()
          : std::max(config.max_buffered_bytes, kBufferedRequests * config.max_request_bytes);
  config.drain_delay = ToChrono(message.drain_delay());
  config.state_directory = message.state_directory();
  if (message.has_tune_budget()) config.tune_budget = ToChrono(message.tune_budget());
  config.allow_management = message.allow_management();
  config.allow_shared_memory = message.allow_shared_memory();
  config.shared_memory_prefix = message.shared_memory_prefix();
  config.workers = static_cast<int>(std::min<std::uint32_t>(message.workers(), kMostWorkers + 1));
  return config;
}

// A value that may be none of those there are.
void TakeAttentionPrecision(const ConfigMessage& message, const Origins& origins,
                            ServerConfig& config, std::vector<std::string>& errors) {
  if (!message.has_attention_precision()) return;
  const absl::StatusOr<AttentionPrecision> precision =
      ParseAttentionPrecision(message.attention_precision());
  if (precision.ok()) {
    config.attention_precision = *precision;
  } else {
    errors.push_back(
        absl::StrCat(origins.Of("attention_precision"), ": ", precision.status().message()));
  }
}

void CheckAddresses(const ServerConfig& config, const Origins& origins,
                    std::vector<std::string>& errors) {
  struct Named {
    const char* field;
    const std::string& address;
  };
  const std::array<Named, 3> all = {{{"grpc_address", config.grpc_address},
                                     {"http_address", config.http_address},
                                     {"metrics_address", config.metrics_address}}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const absl::Status status = CheckAddress(all[i].address);
    if (!status.ok()) {
      errors.push_back(absl::StrCat(origins.Of(all[i].field), ": ", status.message()));
    }
    if (absl::EndsWith(all[i].address, ":0")) continue;
    for (std::size_t j = 0; j < i; ++j) {
      if (all[i].address != all[j].address) continue;
      errors.push_back(absl::StrCat(origins.Of(all[i].field), ": got \"", all[i].address,
                                    "\", the address of ", FlagName(all[j].field),
                                    " too, wants one of its own"));
    }
  }
}

void CheckLength(const char* field, std::chrono::nanoseconds length, const Origins& origins,
                 std::vector<std::string>& errors) {
  if (length <= kLongestDuration) return;
  errors.push_back(absl::StrCat(
      origins.Of(field), ": got ", std::chrono::duration_cast<std::chrono::seconds>(length).count(),
      "s, wants at most ", std::chrono::seconds(kLongestDuration).count(), "s"));
}

void CheckSharedMemory(const ServerConfig& config, const Origins& origins,
                       std::vector<std::string>& errors) {
  const std::string& prefix = config.shared_memory_prefix;
  if (prefix.empty()) return;
  if (!config.allow_shared_memory) {
    errors.push_back(absl::StrCat(origins.Of("shared_memory_prefix"), ": got ", Quoted(prefix),
                                  " without --allow-shared-memory, wants both"));
  }
  if (!IsSharedMemoryKey(prefix) || absl::StartsWith(prefix, "/")) {
    errors.push_back(absl::StrCat(origins.Of("shared_memory_prefix"), ": got ", Quoted(prefix),
                                  ", wants what a key begins with behind its '/': printable ASCII "
                                  "without '/' and spaces"));
  }
}

void Check(const ServerConfig& config, const Origins& origins, std::vector<std::string>& errors) {
  std::error_code error;
  if (config.model_repository.empty()) {
    errors.emplace_back("--model-repository: missing, wants the folder that holds the models");
  } else if (!std::filesystem::is_directory(config.model_repository, error)) {
    errors.push_back(absl::StrCat(origins.Of("model_repository"), ": got \"",
                                  config.model_repository, "\", wants a folder that is there"));
  }
  CheckAddresses(config, origins, errors);
  CheckSharedMemory(config, origins, errors);
  if (config.max_request_bytes < kLeastRequestBytes ||
      config.max_request_bytes > kMostRequestBytes) {
    errors.push_back(absl::StrCat(origins.Of("max_request_bytes"), ": got ",
                                  config.max_request_bytes, ", wants ", kLeastRequestBytes, " to ",
                                  kMostRequestBytes, " bytes"));
  } else if (config.max_buffered_bytes / kBufferedRequests < config.max_request_bytes) {
    errors.push_back(absl::StrCat(origins.Of("max_buffered_bytes"), ": got ",
                                  config.max_buffered_bytes, ", wants at least ",
                                  kBufferedRequests * config.max_request_bytes, " bytes, ",
                                  kBufferedRequests, " requests of the largest size"));
  }
  CheckLength("drain_delay", config.drain_delay, origins, errors);
  CheckLength("tune_budget", config.tune_budget, origins, errors);
  CheckLength("repository_poll", config.repository_poll, origins, errors);
  if (config.workers > kMostWorkers) {
    errors.push_back(absl::StrCat(origins.Of("workers"), ": wants 0 to ", kMostWorkers));
  }
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(std::span<const char* const> arguments) {
  ParsedFlags parsed;
  std::vector<std::string> errors;
  for (std::size_t i = 0; i < arguments.size(); ++i) ParseArgument(arguments, i, parsed, errors);

  CommandLine line;
  line.action = parsed.action;
  const bool only_prints =
      line.action == CommandLine::Action::kHelp || line.action == CommandLine::Action::kVersion;
  if (only_prints && errors.empty()) return line;

  ConfigMessage message;
  if (!parsed.config_file.empty()) ReadConfigFile(parsed.config_file, message, errors);
  Origins origins(parsed.config_file);
  for (const std::string& field : parsed.fields) {
    origins.SetByFlag(field);
    // Merging alone would add the parts of two durations.
    ConfigMessage::GetReflection()->ClearField(
        &message, ConfigMessage::GetDescriptor()->FindFieldByName(field));
  }
  message.MergeFrom(parsed.values);
  line.config = FromMessage(message);
  TakeAttentionPrecision(message, origins, line.config, errors);
  TakeModels(message, origins.Of("models"), line.config.models, errors);
  line.config.access = TakeAccess(
      message, {line.config.grpc_address, line.config.http_address, line.config.metrics_address},
      [&origins](const std::string& field) { return origins.Of(field); }, errors);
  TakeOperations(
      message, [&origins](const std::string& field) { return origins.Of(field); },
      line.config.operations, errors);
  line.config.http = TakeHttp(
      message, [&origins](const std::string& field) { return origins.Of(field); }, errors);
  Check(line.config, origins, errors);
  if (!errors.empty()) return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
  return line;
}

std::string HelpText() {
  std::string text =
      "Serves quantized models over gRPC in the Open Inference Protocol.\n\n"
      "Usage: octet-server --model-repository DIR [flags]\n\n"
      "Example:\n"
      "  octet-server --model-repository models/zoo/repository --grpc-address 127.0.0.1:8001\n\n"
      "Flags (each but the last four is also a key of the configuration file, with _ for -):\n";
  const auto add = [&text](const std::string& flag, const char* help) {
    constexpr std::size_t kColumn = 32;
    absl::StrAppend(&text, "  ", flag,
                    std::string(flag.size() < kColumn ? kColumn - flag.size() : 1, ' '), help,
                    "\n");
  };
  for (const Flag& flag : kFlags) {
    add(absl::StrCat(FlagName(flag.field), *flag.value == '\0' ? "" : " ", flag.value), flag.help);
  }
  add("--config FILE.yaml", "configuration file; flags override it");
  add("--check-config", "check flags and file, then end: 0 if all is well, else 2");
  add("--version", "print the release");
  add("--help", "print this");
  absl::StrAppend(
      &text,
      "\nADDRESS is host:port (port 0: any free one) or unix:PATH. OCTET_KERNEL_SET forces a "
      "kernel\n"
      "set (reference, avx2, avx512vnni, amx). The first SIGTERM or SIGINT drains, a second ends.\n"
      "Exit status: 0 stopped as asked, 1 it failed, 2 used wrongly.\n");
  return text;
}

}  // namespace octet
