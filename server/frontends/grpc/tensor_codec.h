// SPDX-License-Identifier: Apache-2.0
// ModelInferRequest and ModelInferResponse to and from wire bytes, without protobuf objects.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/frontends/grpc/wire_format.h"
#include "server/scheduling/request.h"

namespace octet {

// How a request wants to be answered.
struct AnswerForm {
  std::string id = {};               // echoed
  bool wants_timing = false;         // parameter octet_timing
  bool wants_typed_outputs = false;  // parameter octet_typed_outputs
  bool is_of_stream = false;         // not of ModelInfer
};

struct DecodedRequest {
  std::string model_name;
  std::string model_version;
  std::vector<RequestInput> inputs;  // their data lies in the request's bytes, or in `buffers`
  std::vector<RequestedOutput> outputs;
  AnswerForm form;
  std::optional<std::int64_t> timeout_microseconds;  // parameter timeout, at least 1
  std::uint64_t priority = 0;                        // parameter priority; 0: none
  std::deque<std::unique_ptr<std::byte[]>> buffers;
};

// Reads a ModelInferRequest that lies in `chunks`. Raw tensors, one for each input that is not in
// shared memory, become views of the chunks (a copy
// where one crosses from chunk to chunk); typed contents become the bytes of the raw form.
//
// Returns INVALID_ARGUMENT, saying what it got and wants, for bytes that are no such message, for
// strings that are no UTF-8, for raw and typed tensors mixed, a number of raw tensors other than
// the number of inputs that are not in shared memory, typed contents that do not fit the datatype
// or its range, an input in shared memory with contents, half a place in shared memory, reserved
// parameters of a wrong type; and RESOURCE_EXHAUSTED if typed tensors take more than
// `max_tensor_bytes` in all. Never allocates more than a small multiple of the message's size and
// `max_tensor_bytes`.
absl::StatusOr<DecodedRequest> DecodeRequest(std::span<const Bytes> chunks,
                                             std::size_t max_tensor_bytes);

// The id of a request that DecodeRequest refuses; empty if it cannot be read.
std::string DecodeId(std::span<const Bytes> chunks);

// A ModelInferResponse, or a stream's ModelStreamInferResponse, but for its raw tensors' bytes.
struct EncodedAnswer {
  // For each output, what precedes its bytes; the first begins with everything else. One entry
  // also where there is no output, and where the outputs are typed: it is the whole message then.
  std::vector<std::string> headers;
  bool is_whole = false;
};

// The outputs are in raw_output_contents, or each in its `contents` if `form` wants them typed.
// Precondition: a typed one has a datatype with typed contents.
// Returns RESOURCE_EXHAUSTED if typed contents take more than `max_typed_bytes` in all.
absl::StatusOr<EncodedAnswer> EncodeAnswer(const InferenceAnswer& answer, const AnswerForm& form,
                                           std::size_t max_typed_bytes);

// A ModelStreamInferResponse that says why a request has no answer, whose id it is, and the name of
// the code as parameter octet_error_code.
std::string EncodeStreamError(const absl::Status& error, const AnswerForm& form);

}  // namespace octet
