// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/tensor_codec.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/tensor/data_type.h"
#include "server/frontends/grpc/request_parameters.h"
#include "server/frontends/grpc/typed_contents.h"

namespace octet {
namespace {

// So that a request of many empty tensors takes no more memory than it has bytes.
constexpr std::size_t kMostTensors = 1024;
constexpr std::size_t kMostDims = 64;

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the request's bytes are no ModelInferRequest: ", what));
}

absl::Status TooMany(absl::string_view what, std::size_t most) {
  return absl::InvalidArgumentError(absl::StrCat("the request has more than ", most, " ", what));
}

absl::Status ReadText(Bytes bytes, absl::string_view what, std::string& text) {
  const absl::string_view view = AsText(bytes);
  if (!IsUtf8(view)) return Malformed(absl::StrCat(what, " is no UTF-8"));
  text.assign(view.data(), view.size());
  return absl::OkStatus();
}

absl::Status OfInput(const std::string& name, const absl::Status& status) {
  if (status.ok()) return status;
  return {status.code(), absl::StrCat("input ", Quoted(name), ": ", status.message())};
}

absl::Status CheckMemory(absl::string_view kind, const std::string& name,
                         const std::optional<SharedMemoryRange>& memory) {
  if (!memory || (!memory->region.empty() && memory->byte_size > 0)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(kind, " ", Quoted(name), ": got parameters of shared memory without ",
                   memory->region.empty() ? "shared_memory_region" : "shared_memory_byte_size",
                   "; wants shared_memory_region and shared_memory_byte_size, and perhaps "
                   "shared_memory_offset"));
}

class RequestDecoder {
 public:
  RequestDecoder(std::span<const Bytes> chunks, std::size_t max_tensor_bytes)
      : reader_(chunks), bytes_left_(max_tensor_bytes) {}

  absl::StatusOr<DecodedRequest> Decode() {
    while (const std::optional<WireField> field = reader_.Next()) {
      if (field->type == WireType::kLengthDelimited) RETURN_IF_ERROR(Take(*field));
    }
    if (!reader_.ok()) return Malformed("they end early or hold no field");
    RETURN_IF_ERROR(AssignData());
    for (std::unique_ptr<std::byte[]>& copy : reader_.TakeCopies()) {
      request_.buffers.push_back(std::move(copy));
    }
    return std::move(request_);
  }

 private:
  absl::Status Take(const WireField& field) {
    switch (field.number) {
      case 1:
        return ReadText(field.bytes, "model_name", request_.model_name);
      case 2:
        return ReadText(field.bytes, "model_version", request_.model_version);
      case 3:
        return ReadText(field.bytes, "id", request_.form.id);
      case 4:
        return ReadParameter(field.bytes, ParameterPlace::kRequest, request_);
      case 5:
        return TakeInput(field.bytes);
      case 6:
        return TakeOutput(field.bytes);
      case 7:
        if (raw_.size() == kMostTensors) return TooMany("raw_input_contents", kMostTensors);
        raw_.push_back(field.bytes);
        return absl::OkStatus();
      default:
        return absl::OkStatus();  // a later version's
    }
  }

  absl::Status TakeInput(Bytes message) {
    if (request_.inputs.size() == kMostTensors) return TooMany("inputs", kMostTensors);
    RequestInput& input = request_.inputs.emplace_back();
    TypedContents& contents = contents_.emplace_back();
    WireReader reader(message);
    while (const std::optional<WireField> field = reader.Next()) {
      if (field->Is(1, WireType::kLengthDelimited)) {
        RETURN_IF_ERROR(ReadText(field->bytes, "an input's name", input.name));
      } else if (field->Is(2, WireType::kLengthDelimited)) {
        RETURN_IF_ERROR(ReadText(field->bytes, "an input's datatype", input.data_type));
      } else if (field->number == 3) {
        RETURN_IF_ERROR(TakeShape(*field, input.dims));
      } else if (field->Is(4, WireType::kLengthDelimited)) {
        RETURN_IF_ERROR(ReadParameter(field->bytes, ParameterPlace::kInput, request_));
      } else if (field->Is(5, WireType::kLengthDelimited)) {
        RETURN_IF_ERROR(OfInput(input.name, contents.Read(field->bytes)));
      }
    }
    if (!reader.ok()) return Malformed("an input");
    return CheckMemory("input", input.name, input.memory);
  }

  static absl::Status TakeShape(const WireField& field, Dims& dims) {
    if (field.type == WireType::kVarint) {
      dims.push_back(static_cast<std::int64_t>(field.value));
    } else if (field.type == WireType::kLengthDelimited) {
      WireReader packed(field.bytes);
      while (const std::optional<std::uint64_t> dim = packed.NextVarint()) {
        dims.push_back(static_cast<std::int64_t>(*dim));
        if (dims.size() > kMostDims) break;
      }
      if (!packed.ok()) return Malformed("the shape of an input");
    }
    if (dims.size() > kMostDims) return TooMany("dimensions in a shape", kMostDims);
    return absl::OkStatus();
  }

  absl::Status TakeOutput(Bytes message) {
    if (request_.outputs.size() == kMostTensors) return TooMany("outputs", kMostTensors);
    RequestedOutput& output = request_.outputs.emplace_back();
    WireReader reader(message);
    while (const std::optional<WireField> field = reader.Next()) {
      if (field->Is(1, WireType::kLengthDelimited)) {
        RETURN_IF_ERROR(ReadText(field->bytes, "an output's name", output.name));
      } else if (field->Is(2, WireType::kLengthDelimited)) {
        RETURN_IF_ERROR(ReadParameter(field->bytes, ParameterPlace::kOutput, request_));
      }
    }
    if (!reader.ok()) return Malformed("a requested output");
    return CheckMemory("output", output.name, output.memory);
  }

  // Raw entries, or typed contents, to each input.
  absl::Status AssignData() {
    const auto in_memory = static_cast<std::size_t>(
        std::count_if(request_.inputs.begin(), request_.inputs.end(),
                      [](const RequestInput& input) { return input.memory.has_value(); }));
    if (!raw_.empty() && raw_.size() != request_.inputs.size() - in_memory) {
      return absl::InvalidArgumentError(absl::StrCat(
          "got ", raw_.size(), " raw_input_contents for ", request_.inputs.size(), " inputs",
          in_memory > 0 ? absl::StrCat(", ", in_memory, " of them in shared memory") : "",
          "; wants one for each input that is not in shared memory, or none"));
    }
    auto raw = raw_.begin();
    for (std::size_t i = 0; i < request_.inputs.size(); ++i) {
      RequestInput& input = request_.inputs[i];
      if (input.memory) {
        if (contents_[i].empty()) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("input ", Quoted(input.name),
                         " has contents and shared_memory_region; wants one of them"));
      }
      if (contents_[i].empty()) {
        if (!raw_.empty()) input.data = *raw++;
        continue;
      }
      if (!raw_.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", Quoted(input.name),
                         " has contents, and the request has raw_input_contents; wants one "
                         "of them for all inputs"));
      }
      std::unique_ptr<std::byte[]> buffer;
      absl::StatusOr<Bytes> data = contents_[i].ToRaw(input.data_type, bytes_left_, buffer);
      if (!data.ok()) return OfInput(input.name, data.status());
      bytes_left_ -= std::min(bytes_left_, data->size());
      input.data = *data;
      if (buffer) request_.buffers.push_back(std::move(buffer));
    }
    return absl::OkStatus();
  }

  ChunkedReader reader_;
  std::size_t bytes_left_;  // for typed tensors
  DecodedRequest request_;
  std::vector<TypedContents> contents_;  // of each input
  std::vector<Bytes> raw_;
};

absl::string_view TypeName(const AnswerOutput& output) {
  return output.holds_text ? "BYTES" : DataTypeName(output.data_type);
}

absl::Status CheckTypedSize(const InferenceAnswer& answer, std::size_t max_bytes) {
  std::size_t size = 0;
  for (const AnswerOutput& output : answer.outputs) {
    size += TypedByteSize(TypeName(output), output.data);
    if (size > max_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "the typed contents asked for take more than ", max_bytes,
          " bytes; send fewer rows, or leave octet_typed_outputs out for raw_output_contents"));
    }
  }
  return absl::OkStatus();
}

// An entry of the response's parameters; `value` is an InferParameter.
void AppendParameter(absl::string_view name, absl::string_view value, std::string& out) {
  std::string entry;
  AppendText(1, name, entry);
  AppendMessage(2, value, entry);
  AppendMessage(4, entry, out);
}

void AppendTextParameter(absl::string_view name, absl::string_view value, std::string& out) {
  std::string parameter;
  AppendMessage(3, value, parameter);
  AppendParameter(name, parameter, out);
}

void AppendNumberParameter(absl::string_view name, std::uint64_t value, std::string& out) {
  std::string parameter;
  AppendTag(2, WireType::kVarint, parameter);
  AppendVarint(value, parameter);
  AppendParameter(name, parameter, out);
}

// Where an output is that is not in the message.
void AppendMemory(const SharedMemoryRange& memory, std::string& out) {
  AppendTextParameter("shared_memory_region", memory.region, out);
  AppendNumberParameter("shared_memory_byte_size", memory.byte_size, out);
  if (memory.offset > 0) AppendNumberParameter("shared_memory_offset", memory.offset, out);
}

// Clients of models with several responses to a request wait for the one that says so.
void AppendIsFinal(std::string& out) {
  std::string parameter;
  AppendTag(1, WireType::kVarint, parameter);
  AppendVarint(1, parameter);
  AppendParameter("triton_final_response", parameter, out);
}

// Makes a ModelInferResponse the answer of a ModelStreamInferResponse.
void WrapForStream(const InferenceAnswer& answer, EncodedAnswer& encoded) {
  std::size_t size = 0;
  for (const std::string& header : encoded.headers) size += header.size();
  if (!encoded.is_whole) {
    for (const AnswerOutput& output : answer.outputs) size += output.data.size();
  }
  std::string prefix;
  AppendTag(2, WireType::kLengthDelimited, prefix);
  AppendVarint(size, prefix);
  encoded.headers.front().insert(0, prefix);
}

void AppendTiming(const InferenceAnswer& answer, std::string& out) {
  const auto number = [&](absl::string_view name, std::chrono::nanoseconds value) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
    AppendNumberParameter(name, us < 0 ? 0 : static_cast<std::uint64_t>(us), out);
  };
  AppendTextParameter("octet_precision", answer.model.precision, out);
  AppendTextParameter("octet_kernel_set", answer.model.kernel_set, out);
  number("octet_queue_us", answer.times.queue);
  number("octet_compute_us", answer.times.quantize + answer.times.compute);
}

}  // namespace

absl::StatusOr<DecodedRequest> DecodeRequest(std::span<const Bytes> chunks,
                                             std::size_t max_tensor_bytes) {
  return RequestDecoder(chunks, max_tensor_bytes).Decode();
}

std::string DecodeId(std::span<const Bytes> chunks) {
  ChunkedReader reader(chunks);
  std::string id;
  while (const std::optional<WireField> field = reader.Next()) {
    if (!field->Is(3, WireType::kLengthDelimited)) continue;
    if (!ReadText(field->bytes, "id", id).ok()) id.clear();
  }
  return id;
}

absl::StatusOr<EncodedAnswer> EncodeAnswer(const InferenceAnswer& answer, const AnswerForm& form,
                                           std::size_t max_typed_bytes) {
  EncodedAnswer encoded;
  encoded.is_whole = form.wants_typed_outputs;
  if (form.wants_typed_outputs) RETURN_IF_ERROR(CheckTypedSize(answer, max_typed_bytes));
  std::string& header = encoded.headers.emplace_back();
  AppendText(1, answer.model.name, header);
  AppendText(2, answer.model.version, header);
  AppendText(3, form.id, header);
  if (form.is_of_stream) AppendIsFinal(header);
  if (form.wants_timing) AppendTiming(answer, header);
  std::string message;
  std::string shape;
  for (const AnswerOutput& output : answer.outputs) {
    message.clear();
    AppendText(1, output.name, message);
    AppendText(2, TypeName(output), message);
    shape.clear();
    for (const std::int64_t dim : output.dims) {
      AppendVarint(static_cast<std::uint64_t>(dim), shape);
    }
    AppendText(3, shape, message);
    if (output.memory) AppendMemory(*output.memory, message);
    if (form.wants_typed_outputs) AppendTypedContents(TypeName(output), output.data, message);
    AppendMessage(5, message, header);
  }
  for (std::size_t i = 0; !encoded.is_whole && i < answer.outputs.size(); ++i) {
    if (i > 0) encoded.headers.emplace_back();
    AppendTag(6, WireType::kLengthDelimited, encoded.headers.back());
    AppendVarint(answer.outputs[i].data.size(), encoded.headers.back());
  }
  if (form.is_of_stream) WrapForStream(answer, encoded);
  return encoded;
}

std::string EncodeStreamError(const absl::Status& error, const AnswerForm& form) {
  std::string response;
  AppendText(3, form.id, response);
  AppendTextParameter("octet_error_code", absl::StatusCodeToString(error.code()), response);
  std::string whole;
  // No text would say that there is an answer.
  const absl::string_view text = error.message().empty() ? "no answer" : error.message();
  AppendText(1, IsUtf8(text) ? std::string(text) : absl::CHexEscape(text), whole);
  AppendMessage(2, response, whole);
  return whole;
}

}  // namespace octet
