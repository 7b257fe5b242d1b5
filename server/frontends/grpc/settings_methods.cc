// SPDX-License-Identifier: Apache-2.0
// TraceSetting and LogSettings: they tell what is set, and change nothing. A stranger who may call
// must not choose files to write, nor how much is written.

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "proto/inference/open_inference_grpc.pb.h"
#include "server/frontends/grpc/control_methods.h"

namespace octet {
namespace {

absl::Status Unknown(absl::string_view kind, const std::string& name) {
  return absl::InvalidArgumentError(absl::StrCat(
      kind, " setting ", Quoted(name), " is unknown; a request without settings lists them all"));
}

using TraceValues = std::map<std::string, std::string>;

// As the protocol's trace extension has them. A rate is one of so many requests.
TraceValues CurrentTraceSettings(const ReportedSettings& settings) {
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
                             const inference::TraceSettingRequest::SettingValue& value) {
  const auto setting = current.find(name);
  if (setting == current.end()) return Unknown("trace", name);
  // No value clears a setting, which is what it is.
  const bool is_kept =
      value.value_size() == 0 || (value.value_size() == 1 && value.value(0) == setting->second);
  if (is_kept) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(
      "trace setting ", Quoted(name), ": got ", Quoted(absl::StrJoin(value.value(), ",")), ", is ",
      Quoted(setting->second),
      " and stays so: traces are set where the server is started (tracing in its configuration), "
      "not over the network; ask for times with the request parameter octet_timing"));
}

absl::StatusOr<inference::TraceSettingResponse> TraceSettings(
    const ControlRooms& rooms, const inference::TraceSettingRequest& request) {
  if (!request.model_name().empty()) {
    RETURN_IF_ERROR(rooms.repository.Find(request.model_name(), "").status());
  }
  const TraceValues current = CurrentTraceSettings(rooms.settings);
  for (const auto& [name, value] : request.settings()) {
    RETURN_IF_ERROR(CheckTraceValue(current, name, value));
  }
  inference::TraceSettingResponse response;
  for (const auto& [name, value] : current) {
    (*response.mutable_settings())[name].add_value(value);
  }
  return response;
}

struct LogValue {
  const char* name;
  std::variant<bool, std::uint32_t, const char*> value;
};

using LogValues = std::array<LogValue, 6>;

LogValues CurrentLogSettings(const ReportedSettings& settings) {
  // The protocol's word for lines of text.
  const char* const format = settings.log_format == "json" ? "json" : "default";
  return {{{"log_error", true},
           {"log_file", ""},
           {"log_format", format},
           {"log_info", settings.logs_info},
           {"log_verbose_level", std::uint32_t{settings.logs_debug ? 1U : 0U}},
           {"log_warning", settings.logs_warnings}}};
}

void Set(const LogValue& setting, inference::LogSettingsResponse::SettingValue& out) {
  if (const auto* const flag = std::get_if<bool>(&setting.value)) out.set_bool_param(*flag);
  if (const auto* const number = std::get_if<std::uint32_t>(&setting.value)) {
    out.set_uint32_param(*number);
  }
  if (const auto* const text = std::get_if<const char*>(&setting.value)) {
    out.set_string_param(*text);
  }
}

absl::Status CheckLogValue(const LogValues& settings, const std::string& name,
                           const inference::LogSettingsRequest::SettingValue& value) {
  for (const LogValue& setting : settings) {
    if (name != setting.name) continue;
    inference::LogSettingsResponse::SettingValue current;
    Set(setting, current);
    if (static_cast<int>(current.parameter_choice_case()) !=
        static_cast<int>(value.parameter_choice_case())) {
      return absl::InvalidArgumentError(
          absl::StrCat("log setting ", Quoted(name), ": got a value of the wrong type or none"));
    }
    // The messages have the same fields.
    if (current.SerializeAsString() == value.SerializeAsString()) return absl::OkStatus();
    return absl::UnimplementedError(
        absl::StrCat("log setting ", Quoted(name),
                     " stays as it is: the log goes to the server's standard error, and is not "
                     "changed over the network"));
  }
  return Unknown("log", name);
}

absl::StatusOr<inference::LogSettingsResponse> LogSettings(
    const ControlRooms& rooms, const inference::LogSettingsRequest& request) {
  const LogValues current = CurrentLogSettings(rooms.settings);
  for (const auto& [name, value] : request.settings()) {
    RETURN_IF_ERROR(CheckLogValue(current, name, value));
  }
  inference::LogSettingsResponse response;
  for (const LogValue& setting : current) {
    Set(setting, (*response.mutable_settings())[setting.name]);
  }
  return response;
}

}  // namespace

void AddSettingsMethods(const ControlRooms& rooms, ControlMethods& methods) {
  methods["/inference.GRPCInferenceService/TraceSetting"] = {
      ControlMethod::Kind::kUnary,
      Handle<inference::TraceSettingRequest, inference::TraceSettingResponse>(
          [rooms](const auto& request) { return TraceSettings(rooms, request); })};
  methods["/inference.GRPCInferenceService/LogSettings"] = {
      ControlMethod::Kind::kUnary,
      Handle<inference::LogSettingsRequest, inference::LogSettingsResponse>(
          [rooms](const auto& request) { return LogSettings(rooms, request); })};
}

}  // namespace octet
