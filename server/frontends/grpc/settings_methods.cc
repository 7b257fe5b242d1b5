// SPDX-License-Identifier: Apache-2.0
// TraceSetting and LogSettings: they tell what is set, and change nothing. A stranger who may call
// must not choose files to write, nor how much is written.

#include <array>
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

struct TraceValue {
  const char* name;
  const char* value;
};

constexpr std::array<TraceValue, 6> kTraceSettings = {{{"log_frequency", "0"},
                                                       {"trace_count", "-1"},
                                                       {"trace_file", ""},
                                                       {"trace_level", "OFF"},
                                                       {"trace_mode", "triton"},
                                                       {"trace_rate", "1000"}}};

absl::Status CheckTraceValue(const std::string& name,
                             const inference::TraceSettingRequest::SettingValue& value) {
  for (const TraceValue& setting : kTraceSettings) {
    if (name != setting.name) continue;
    // No value clears a setting, which is what it is.
    const bool is_kept =
        value.value_size() == 0 || (value.value_size() == 1 && value.value(0) == setting.value);
    if (is_kept) return absl::OkStatus();
    return absl::UnimplementedError(absl::StrCat(
        "trace setting ", Quoted(name), ": got ", Quoted(absl::StrJoin(value.value(), ",")),
        ", is ", Quoted(setting.value),
        " and stays so: this server writes no traces; ask for times with the request parameter "
        "octet_timing"));
  }
  return Unknown("trace", name);
}

absl::StatusOr<inference::TraceSettingResponse> TraceSettings(
    const ControlRooms& rooms, const inference::TraceSettingRequest& request) {
  if (!request.model_name().empty()) {
    RETURN_IF_ERROR(rooms.repository.Find(request.model_name(), "").status());
  }
  for (const auto& [name, value] : request.settings()) {
    RETURN_IF_ERROR(CheckTraceValue(name, value));
  }
  inference::TraceSettingResponse response;
  for (const TraceValue& setting : kTraceSettings) {
    (*response.mutable_settings())[setting.name].add_value(setting.value);
  }
  return response;
}

struct LogValue {
  const char* name;
  std::variant<bool, std::uint32_t, const char*> value;
};

const std::array<LogValue, 6>& CurrentLogSettings() {
  static constexpr std::array<LogValue, 6> kSettings = {{{"log_error", true},
                                                         {"log_file", ""},
                                                         {"log_format", "default"},
                                                         {"log_info", true},
                                                         {"log_verbose_level", std::uint32_t{0}},
                                                         {"log_warning", true}}};
  return kSettings;
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

absl::Status CheckLogValue(const std::string& name,
                           const inference::LogSettingsRequest::SettingValue& value) {
  for (const LogValue& setting : CurrentLogSettings()) {
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
    const inference::LogSettingsRequest& request) {
  for (const auto& [name, value] : request.settings()) {
    RETURN_IF_ERROR(CheckLogValue(name, value));
  }
  inference::LogSettingsResponse response;
  for (const LogValue& setting : CurrentLogSettings()) {
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
      Handle<inference::LogSettingsRequest, inference::LogSettingsResponse>(LogSettings)};
}

}  // namespace octet
