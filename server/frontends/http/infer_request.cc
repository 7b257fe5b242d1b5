// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/infer_request.h"

#include <charconv>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/tensor/data_type.h"
#include "server/frontends/http/json_reader.h"
#include "server/frontends/http/json_value.h"
#include "server/frontends/http/tensor_json.h"

namespace octet {
namespace {

// So that a request of many empty tensors takes no more memory than it has bytes.
constexpr std::size_t kMostTensors = 1024;
constexpr std::size_t kMostDims = 64;

absl::Status NoSharedMemory(absl::string_view name) {
  return absl::UnimplementedError(absl::StrCat(
      "parameter ", Quoted(name), ": this server takes no shared memory over HTTP, send the data"));
}

class InferBodyReader {
 public:
  InferBodyReader(std::span<const std::byte> body, std::size_t json_size, std::size_t max_bytes)
      : reader_({reinterpret_cast<const char*>(body.data()), json_size}),
        binary_(body.subspan(json_size)),
        has_binary_(json_size < body.size()),
        bytes_left_(max_bytes) {}

  absl::StatusOr<InferBody> Read() {
    bool has_inputs = false;
    reader_.Object([&](absl::string_view name) {
      if (name == "id") return reader_.String(body_.form.id);
      if (name == "parameters") return ReadRequestParameters();
      if (name == "inputs") {
        has_inputs = true;
        return reader_.Array([this] { return ReadInput(); });
      }
      if (name == "outputs") return reader_.Array([this] { return ReadOutput(); });
      return reader_.Skip();  // a later version's
    });
    if (!reader_.End()) return reader_.status();
    if (!has_inputs) {
      return absl::InvalidArgumentError("the request has no \"inputs\", wants an array of them");
    }
    if (!binary_.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the body has ", binary_.size(),
                       " bytes behind the binary data that its inputs name; wants none"));
    }
    body_.form.wants_timing = body_.options.wants_timing;
    body_.form.is_binary = body_.options.wants_binary_outputs;
    for (const std::optional<bool>& is_binary : output_forms_) {
      body_.form.binary_outputs.push_back(is_binary.value_or(body_.form.is_binary));
    }
    return std::move(body_);
  }

 private:
  bool Check(absl::Status status) { return status.ok() || reader_.Fail(std::move(status)); }

  bool ReadRequestParameters() {
    return reader_.Object([this](absl::string_view name) {
      ParameterValue value;
      return ReadParameterValue(reader_, value) &&
             Check(TakeRequestParameter(name, value, body_.options));
    });
  }

  bool ReadInput() {
    if (body_.inputs.size() == kMostTensors) return TooMany("inputs", kMostTensors);
    RequestInput input;
    std::optional<std::size_t> binary_size;
    bool has_data = false;
    bool has_shape = false;
    absl::string_view unread;  // data that came before what it takes to read it
    const bool was_read = reader_.Object([&](absl::string_view name) {
      if (name == "name") return reader_.String(input.name);
      if (name == "datatype") return reader_.String(input.data_type);
      if (name == "shape") {
        has_shape = true;
        return ReadShape(input.dims);
      }
      if (name == "parameters") return ReadInputParameters(binary_size);
      if (name != "data") return reader_.Skip();
      has_data = true;
      if (has_shape && !input.data_type.empty()) return ReadData(reader_, input);
      unread = reader_.rest();
      return reader_.Skip();
    });
    if (!was_read) return Name(input);
    if (input.name.empty() || input.data_type.empty() || !has_shape) {
      reader_.Fail(absl::InvalidArgumentError("wants a name, a datatype and a shape"));
      return Name(input);
    }
    if (has_data == binary_size.has_value()) {
      reader_.Fail(absl::InvalidArgumentError(
          has_data ? "has both data and binary_data_size, wants one of them"
                   : "has neither data nor the parameter binary_data_size, wants one of them"));
      return Name(input);
    }
    if (!unread.empty()) {
      JsonReader data(unread);
      if (!ReadData(data, input)) reader_.Fail(data.status());
    }
    if (binary_size) TakeBinary(*binary_size, input);
    if (!reader_.ok()) return Name(input);
    body_.inputs.push_back(std::move(input));
    return true;
  }

  // Says which input the error is of.
  bool Name(const RequestInput& input) {
    const absl::Status status = reader_.status();
    const std::string which =
        input.name.empty() ? absl::StrCat("number ", body_.inputs.size()) : Quoted(input.name);
    reader_.Replace({status.code(), absl::StrCat("input ", which, ": ", status.message())});
    return false;
  }

  bool ReadShape(Dims& dims) {
    return reader_.Array([&] {
      std::int64_t dim = 0;
      if (dims.size() == kMostDims) return TooMany("dimensions in a shape", kMostDims);
      if (!ReadInt64(reader_, "a dimension", dim)) return false;
      dims.push_back(dim);
      return true;
    });
  }

  bool ReadData(JsonReader& reader, RequestInput& input) {
    TensorBytes tensor;
    if (!ReadTensorJson(reader, input.data_type, input.dims, bytes_left_, tensor)) return false;
    bytes_left_ -= tensor.size;
    input.data = {tensor.data.get(), tensor.size};
    body_.buffers.push_back(std::move(tensor.data));
    return true;
  }

  bool TakeBinary(std::size_t size, RequestInput& input) {
    if (!has_binary_ && size > 0) {
      return reader_.Fail(absl::InvalidArgumentError(
          "has binary_data_size, but no bytes follow the JSON; where they do, the header "
          "Inference-Header-Content-Length has the JSON's length"));
    }
    if (size > binary_.size()) {
      return reader_.Fail(absl::InvalidArgumentError(absl::StrCat(
          "binary_data_size is ", size, ", but ", binary_.size(), " bytes are left of the body")));
    }
    input.data = binary_.first(size);
    binary_ = binary_.subspan(size);
    return true;
  }

  bool ReadInputParameters(std::optional<std::size_t>& binary_size) {
    return reader_.Object([&](absl::string_view name) {
      ParameterValue value;
      if (!ReadParameterValue(reader_, value)) return false;
      if (absl::StartsWith(name, "shared_memory_")) return reader_.Fail(NoSharedMemory(name));
      if (name != "binary_data_size") return true;
      const auto* const size = std::get_if<std::int64_t>(&value);
      if (size == nullptr || *size < 0) {
        return reader_.Fail(WrongParameterType(name, value, "a number of bytes of at least 0"));
      }
      binary_size = static_cast<std::size_t>(*size);
      return true;
    });
  }

  bool ReadOutput() {
    if (body_.outputs.size() == kMostTensors) return TooMany("outputs", kMostTensors);
    RequestedOutput output;
    std::optional<bool> is_binary;
    const bool was_read = reader_.Object([&](absl::string_view name) {
      if (name == "name") return reader_.String(output.name);
      if (name == "parameters") return ReadOutputParameters(output, is_binary);
      return reader_.Skip();
    });
    if (!was_read) return false;
    if (output.name.empty()) {
      return reader_.Fail(absl::InvalidArgumentError("a requested output has no name, wants one"));
    }
    body_.outputs.push_back(std::move(output));
    output_forms_.push_back(is_binary);
    return true;
  }

  bool ReadOutputParameters(RequestedOutput& output, std::optional<bool>& is_binary) {
    return reader_.Object([&](absl::string_view name) {
      ParameterValue value;
      if (!ReadParameterValue(reader_, value)) return false;
      if (absl::StartsWith(name, "shared_memory_")) return reader_.Fail(NoSharedMemory(name));
      if (name == "classification") {
        const absl::StatusOr<std::int64_t> count = NumClasses(value);
        if (!count.ok()) return reader_.Fail(count.status());
        output.num_classes = *count;
      } else if (name == "binary_data") {
        const bool* const flag = std::get_if<bool>(&value);
        if (flag == nullptr) return reader_.Fail(WrongParameterType(name, value, "a bool"));
        is_binary = *flag;
      }
      return true;
    });
  }

  bool TooMany(absl::string_view what, std::size_t most) {
    return reader_.Fail(
        absl::InvalidArgumentError(absl::StrCat("the request has more than ", most, " ", what)));
  }

  JsonReader reader_;
  std::span<const std::byte> binary_;  // what no input has taken yet
  const bool has_binary_;
  std::size_t bytes_left_;  // for tensors that are JSON
  InferBody body_;
  std::vector<std::optional<bool>> output_forms_;
};

}  // namespace

absl::StatusOr<std::optional<std::size_t>> ParseJsonLength(absl::string_view value,
                                                           std::size_t body_size) {
  if (value.empty()) return std::nullopt;
  std::size_t length = 0;
  const char* const end = value.data() + value.size();
  const std::from_chars_result result = std::from_chars(value.data(), end, length);
  if (result.ec != std::errc() || result.ptr != end || length > body_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("Inference-Header-Content-Length is ", Quoted(value),
                     ", wants the JSON's number of bytes, of the body's ", body_size));
  }
  return length;
}

absl::StatusOr<InferBody> ReadInferBody(std::span<const std::byte> body, std::size_t json_size,
                                        std::size_t max_tensor_bytes) {
  return InferBodyReader(body, json_size, max_tensor_bytes).Read();
}

absl::StatusOr<InferBody> RawInferBody(const ModelConfiguration& model,
                                       std::span<const std::byte> body) {
  if (model.inputs.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a body without JSON is the data of a model's only input, this one has ",
                     model.inputs.size()));
  }
  const TensorDescription& wanted = model.inputs.front();
  RequestInput input{.name = wanted.name,
                     .data_type = std::string(DataTypeName(wanted.data_type)),
                     .dims = wanted.dims,
                     .data = body};
  std::int64_t* open = nullptr;
  std::size_t known = BitWidth(wanted.data_type) / 8;
  for (std::int64_t& dim : input.dims) {
    if (dim >= 0) {
      known *= static_cast<std::size_t>(dim);
      continue;
    }
    if (open != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", Quoted(wanted.name),
                       " has several open dimensions: a body without JSON cannot tell them"));
    }
    open = &dim;
  }
  if (open != nullptr) *open = known == 0 ? 0 : static_cast<std::int64_t>(body.size() / known);
  if (model.max_batch_size > 0) input.dims.insert(input.dims.begin(), 1);
  InferBody raw;
  raw.inputs.push_back(std::move(input));
  raw.form.is_binary = true;
  return raw;
}

}  // namespace octet
