// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/request_parameters.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"

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

const char* TypeName(Choice choice) {
  switch (choice) {
    case Choice::kBool:
      return "a bool";
    case Choice::kInt64:
      return "an int64";
    case Choice::kString:
      return "a string";
    case Choice::kDouble:
      return "a double";
    case Choice::kUint64:
      return "a uint64";
    case Choice::kNone:
      break;
  }
  return "nothing";
}

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

absl::Status WrongType(const Parameter& parameter, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("parameter \"", parameter.name, "\": got ",
                                                 TypeName(parameter.choice), ", wants ", wanted));
}

// Whether the value is whole and below 0.
bool IsNegative(const Parameter& parameter) {
  return parameter.choice == Choice::kInt64 && static_cast<std::int64_t>(parameter.value) < 0;
}

bool IsWhole(const Parameter& parameter) {
  return parameter.choice == Choice::kInt64 || parameter.choice == Choice::kUint64;
}

// Those that are a bool and mean nothing: no answer here is empty, the last of each request is its
// only one.
bool IsBoolWithoutMeaning(absl::string_view name) {
  return name == "sequence_start" || name == "sequence_end" || name == "binary_data_output" ||
         name == "triton_enable_empty_final_response";
}

absl::Status ReadRequestParameter(const Parameter& parameter, DecodedRequest& request) {
  const absl::string_view name = parameter.name;
  if (name == "octet_timing") {
    if (parameter.choice != Choice::kBool) return WrongType(parameter, "a bool");
    request.form.wants_timing = parameter.value != 0;
  } else if (name == "octet_typed_outputs") {
    if (parameter.choice != Choice::kBool) return WrongType(parameter, "a bool");
    request.form.wants_typed_outputs = parameter.value != 0;
  } else if (name == "timeout") {
    if (parameter.choice != Choice::kInt64 || IsNegative(parameter)) {
      return WrongType(parameter, "microseconds as an int64 of at least 0");
    }
    if (parameter.value > 0) {
      request.timeout_microseconds = static_cast<std::int64_t>(parameter.value);
    }
  } else if (name == "priority") {
    if (!IsWhole(parameter) || IsNegative(parameter)) {
      return WrongType(parameter, "a whole number of at least 0");
    }
    request.priority = parameter.value;
  } else if (name == "sequence_id") {
    if (!IsWhole(parameter) && parameter.choice != Choice::kString) {
      return WrongType(parameter, "a whole number or a string");
    }
  } else if (IsBoolWithoutMeaning(name)) {
    if (parameter.choice != Choice::kBool) return WrongType(parameter, "a bool");
  } else if (absl::StartsWith(name, "triton_") || absl::StartsWith(name, "octet_")) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter ", Quoted(name),
                     " is reserved and unknown; wants octet_timing, octet_typed_outputs, "
                     "triton_enable_empty_final_response, or another prefix"));
  }
  return absl::OkStatus();
}

absl::Status ReadMemoryParameter(const Parameter& parameter,
                                 std::optional<SharedMemoryRange>& memory) {
  if (!memory) memory.emplace();
  if (parameter.name == "shared_memory_region") {
    if (parameter.choice != Choice::kString || parameter.text.empty()) {
      return WrongType(parameter, "a region's name as a string");
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
    return WrongType(parameter, is_size ? "an int64 of at least 1" : "an int64 of at least 0");
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
    if (!IsWhole(parameter) || IsNegative(parameter) || parameter.value == 0) {
      return WrongType(parameter, "an int64 of at least 1");
    }
    // A count beyond an int64's is beyond every output's elements, too.
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    request.outputs.back().num_classes =
        static_cast<std::int64_t>(std::min(parameter.value, kMost));
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
