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
        if (parameter.choice == Choice::kString && !IsUtf8(AsText(choice->bytes))) return {};
      }
      if (!value.ok()) return std::nullopt;
    }
  }
  if (!reader.ok() || !IsUtf8(parameter.name)) return std::nullopt;
  return parameter;
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
      return std::string();  // no string says anything here
    case Choice::kDouble:
      return 0.0;  // nor does a double
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
  if (options.timeout_microseconds) request.timeout_microseconds = options.timeout_microseconds;
  return absl::OkStatus();
}

absl::Status ReadTensorParameter(const Parameter& parameter, ParameterPlace place,
                                 DecodedRequest& request) {
  if (absl::StartsWith(parameter.name, "shared_memory_")) {
    return absl::UnimplementedError(absl::StrCat("parameter ", Quoted(parameter.name),
                                                 ": this server takes no shared memory, send "
                                                 "raw_input_contents"));
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
