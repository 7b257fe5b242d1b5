// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/request_parameters.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "server/inference/request_options.h"

namespace octet {
namespace {

// The set field of InferParameter; numbers as in the proto.
enum class Choice : std::uint32_t { kNone = 0, kBool, kInt64, kString, kDouble, kUint64 };

struct Parameter {
  absl::string_view name;
  Choice choice = Choice::kNone;
  std::uint64_t value = 0;  // of a bool, int64 or uint64
  absl::string_view text;   // of a string
};

std::optional<Parameter> Parse(Bytes entry) {
  Parameter parameter;
  WireReader reader(entry);
  while (const std::optional<WireField> field = reader.Next()) {
    if (field->Is(1, WireType::kLengthDelimited)) {
      parameter.name = AsText(field->bytes);
    } else if (field->Is(2, WireType::kLengthDelimited)) {
      WireReader value(field->bytes);
      while (const std::optional<WireField> choice = value.Next()) {
        const bool is_choice =
            choice->Is(1, WireType::kVarint) || choice->Is(2, WireType::kVarint) ||
            choice->Is(3, WireType::kLengthDelimited) || choice->Is(4, WireType::kFixed64) ||
            choice->Is(5, WireType::kVarint);
        if (!is_choice) continue;
        parameter.choice = static_cast<Choice>(choice->number);
        parameter.value = choice->value;
        parameter.text = AsText(choice->bytes);
        if (parameter.choice == Choice::kString && !IsUtf8(parameter.text)) return {};
      }
      if (!value.ok()) return std::nullopt;
    }
  }
  if (!reader.ok() || !IsUtf8(parameter.name)) return std::nullopt;
  return parameter;
}

bool IsWhole(const Parameter& parameter) {
  return parameter.choice == Choice::kInt64 || parameter.choice == Choice::kUint64;
}

// Whether the value is whole and below 0.
bool IsNegative(const Parameter& parameter) {
  return parameter.choice == Choice::kInt64 && static_cast<std::int64_t>(parameter.value) < 0;
}

ParameterValue ValueOf(const Parameter& parameter) {
  switch (parameter.choice) {
    case Choice::kBool:
      return parameter.value != 0;
    case Choice::kInt64:
      return static_cast<std::int64_t>(parameter.value);
    case Choice::kUint64:
      return parameter.value;
    case Choice::kString:
      return std::string(parameter.text);
    case Choice::kDouble:
      return 0.0;  // no parameter is one
    case Choice::kNone:
      break;
  }
  return {};
}

absl::Status ReadRequestParameter(const Parameter& parameter, DecodedRequest& request) {
  RequestOptions options;
  options.wants_timing = request.form.wants_timing;
  options.wants_typed_outputs = request.form.wants_typed_outputs;
  RETURN_IF_ERROR(TakeRequestParameter(parameter.name, ValueOf(parameter), options));
  request.form.wants_timing = options.wants_timing;
  request.form.wants_typed_outputs = options.wants_typed_outputs;
  if (options.priority) request.priority = *options.priority;
  if (options.timeout_microseconds) request.timeout_microseconds = options.timeout_microseconds;
  return absl::OkStatus();
}

absl::Status ReadMemoryParameter(const Parameter& parameter,
                                 std::optional<SharedMemoryRange>& memory) {
  if (!memory) memory.emplace();
  if (parameter.name == "shared_memory_region") {
    if (parameter.choice != Choice::kString || parameter.text.empty()) {
      return WrongParameterType(parameter.name, ValueOf(parameter), "a region's name as a string");
    }
    memory->region = std::string(parameter.text);
    return absl::OkStatus();
  }
  const bool is_size = parameter.name == "shared_memory_byte_size";
  if (!is_size && parameter.name != "shared_memory_offset") {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter ", Quoted(parameter.name),
                     " is unknown; wants shared_memory_region, shared_memory_byte_size or "
                     "shared_memory_offset"));
  }
  if (!IsWhole(parameter) || IsNegative(parameter) || (is_size && parameter.value == 0)) {
    return WrongParameterType(parameter.name, ValueOf(parameter),
                              is_size ? "an int64 of at least 1" : "an int64 of at least 0");
  }
  (is_size ? memory->byte_size : memory->offset) = parameter.value;
  return absl::OkStatus();
}

absl::Status ReadTensorParameter(const Parameter& parameter, ParameterPlace place,
                                 DecodedRequest& request) {
  if (absl::StartsWith(parameter.name, "shared_memory_")) {
    return ReadMemoryParameter(parameter, place == ParameterPlace::kInput
                                              ? request.inputs.back().memory
                                              : request.outputs.back().memory);
  }
  if (place == ParameterPlace::kOutput && parameter.name == "classification") {
    ASSIGN_OR_RETURN(request.outputs.back().num_classes, NumClasses(ValueOf(parameter)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadParameter(Bytes entry, ParameterPlace place, DecodedRequest& request) {
  const std::optional<Parameter> parameter = Parse(entry);
  if (!parameter) {
    return absl::InvalidArgumentError("the request's bytes are no ModelInferRequest: a parameter");
  }
  if (place == ParameterPlace::kRequest) return ReadRequestParameter(*parameter, request);
  return ReadTensorParameter(*parameter, place, request);
}

}  // namespace octet
