// SPDX-License-Identifier: Apache-2.0
// TraceSetting and LogSettings: they tell what is set, and change nothing. A stranger who may call
// must not choose files to write, nor how much is written.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "models/base/status_macros.h"
#include "proto/inference/open_inference_grpc.pb.h"
#include "server/frontends/grpc/control_methods.h"

namespace octet {
namespace {

absl::StatusOr<inference::TraceSettingResponse> TraceSettings(
    const ControlRooms& rooms, const inference::TraceSettingRequest& request) {
  if (!request.model_name().empty()) {
    RETURN_IF_ERROR(rooms.repository.Find(request.model_name(), "").status());
  }
  const TraceValues current = TraceValuesOf(rooms.settings);
  for (const auto& [name, value] : request.settings()) {
    const std::vector<std::string> values(value.value().begin(), value.value().end());
    RETURN_IF_ERROR(CheckTraceValue(current, name, values));
  }
  inference::TraceSettingResponse response;
  for (const auto& [name, value] : current) {
    (*response.mutable_settings())[name].add_value(value);
  }
  return response;
}

LogValue ToNative(const inference::LogSettingsRequest::SettingValue& value) {
  switch (value.parameter_choice_case()) {
    case inference::LogSettingsRequest::SettingValue::kBoolParam:
      return value.bool_param();
    case inference::LogSettingsRequest::SettingValue::kUint32Param:
      return value.uint32_param();
    case inference::LogSettingsRequest::SettingValue::kStringParam:
      return value.string_param();
    case inference::LogSettingsRequest::SettingValue::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return std::monostate();
}

void Set(const LogValue& value, inference::LogSettingsResponse::SettingValue& out) {
  if (const auto* const flag = std::get_if<bool>(&value)) out.set_bool_param(*flag);
  if (const auto* const number = std::get_if<std::uint32_t>(&value)) out.set_uint32_param(*number);
  if (const auto* const text = std::get_if<std::string>(&value)) out.set_string_param(*text);
}

absl::StatusOr<inference::LogSettingsResponse> LogSettings(
    const ControlRooms& rooms, const inference::LogSettingsRequest& request) {
  const LogValues current = LogValuesOf(rooms.settings);
  for (const auto& [name, value] : request.settings()) {
    RETURN_IF_ERROR(CheckLogValue(current, name, ToNative(value)));
  }
  inference::LogSettingsResponse response;
  for (const auto& [name, value] : current) Set(value, (*response.mutable_settings())[name]);
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
