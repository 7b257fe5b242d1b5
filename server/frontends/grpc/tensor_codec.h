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

struct DecodedRequest {
  std::string model_name;
  std::string model_version;
  std::string id;
  std::vector<RequestInput> inputs;  // their data lies in the request's bytes, or in `buffers`
  std::vector<std::string> outputs;
  bool wants_timing = false;                         // parameter octet_timing
  std::optional<std::int64_t> timeout_microseconds;  // parameter timeout, at least 1
  std::deque<std::unique_ptr<std::byte[]>> buffers;
};

// Reads a ModelInferRequest that lies in `chunks`. Raw tensors become views of the chunks (a copy
// where one crosses from chunk to chunk); typed contents become the bytes of the raw form.
//
// Returns INVALID_ARGUMENT, saying what it got and wants, for bytes that are no such message, for
// strings that are no UTF-8, for raw and typed tensors mixed, a number of raw tensors other than
// the number of inputs, typed contents that do not fit the datatype or its range, reserved
// parameters of a wrong type; UNIMPLEMENTED for shared memory and classification; and
// RESOURCE_EXHAUSTED if typed tensors take more than `max_tensor_bytes` in all. Never allocates
// more than a small multiple of the message's size and `max_tensor_bytes`.
absl::StatusOr<DecodedRequest> DecodeRequest(std::span<const Bytes> chunks,
                                             std::size_t max_tensor_bytes);

// A ModelInferResponse up to its tensors' bytes.
struct EncodedAnswer {
  // For each output, what precedes its bytes; the first begins with everything else. One entry
  // also where there is no output.
  std::vector<std::string> headers;
};

EncodedAnswer EncodeAnswer(const InferenceAnswer& answer, absl::string_view id, bool with_timing);

}  // namespace octet
