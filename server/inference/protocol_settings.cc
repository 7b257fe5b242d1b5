// SPDX-License-Identifier: Apache-2.0

#include "server/inference/protocol_settings.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

#include "models/base/quoted.h"

namespace octet {
namespace {

absl::Status Unknown(absl::string_view kind, const std::string& name) {
  return absl::InvalidArgumentError(absl::StrCat(
      kind, " setting ", Quoted(name), " is unknown; a request without settings lists them all"));
}

}  // namespace

TraceValues TraceValuesOf(const ProtocolSettings& settings) {
  // What other servers say by default, where nothing is traced anyway.
  std::int64_t rate = 1000;
  if (settings.is_traced) {
    constexpr double kLeast = 1e-9;
    rate = settings.trace_sample < kLeast ? 0 : std::llround(1 / settings.trace_sample);
  }
  return {{"log_frequency", "0"},
          {"trace_count", "-1"},
          {"trace_file", ""},
          {"trace_level", settings.is_traced ? "TIMESTAMPS" : "OFF"},
          {"trace_mode", settings.is_traced ? "opentelemetry" : "triton"},
          {"trace_rate", absl::StrCat(rate)}};
}

absl::Status CheckTraceValue(const TraceValues& current, const std::string& name,
                             std::span<const std::string> values) {
  const auto setting = current.find(name);
  if (setting == current.end()) return Unknown("trace", name);
  const bool is_kept = values.empty() || (values.size() == 1 && values[0] == setting->second);
  if (is_kept) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(
      "trace setting ", Quoted(name), ": got ", Quoted(absl::StrJoin(values, ",")), ", is ",
      Quoted(setting->second),
      " and stays so: traces are set where the server is started; ask for times with the request "
      "parameter octet_timing"));
}

LogValues LogValuesOf(const ProtocolSettings& settings) {
  // The protocol's word for lines of text.
  const std::string format = settings.log_format == "json" ? "json" : "default";
  return {{"log_error", true},
          {"log_file", std::string()},
          {"log_format", format},
          {"log_info", settings.logs_info},
          {"log_verbose_level", std::uint32_t{settings.logs_debug ? 1U : 0U}},
          {"log_warning", settings.logs_warnings}};
}

absl::Status CheckLogValue(const LogValues& current, const std::string& name,
                           const LogValue& value) {
  const auto setting = current.find(name);
  if (setting == current.end()) return Unknown("log", name);
  if (setting->second.index() != value.index()) {
    return absl::InvalidArgumentError(
        absl::StrCat("log setting ", Quoted(name), ": got a value of the wrong type or none"));
  }
  if (setting->second == value) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("log setting ", Quoted(name),
                   " stays as it is: the log goes to the server's standard error, and is not "
                   "changed over the network"));
}

}  // namespace octet
