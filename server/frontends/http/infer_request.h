// SPDX-License-Identifier: Apache-2.0
// The body of an inference request: JSON, and the binary tensor data behind it.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/inference/model_description.h"
#include "server/inference/request_options.h"
#include "server/scheduling/request.h"

namespace octet {

// How the answer is to look.
struct InferAnswerForm {
  std::string id;  // echoed
  bool wants_timing = false;
  bool is_binary = false;            // of each output, where `binary_outputs` is empty
  std::vector<bool> binary_outputs;  // else of each that is asked for
};

struct InferBody {
  std::vector<RequestInput> inputs;  // their data lies in the body, or in `buffers`
  std::vector<RequestedOutput> outputs;
  RequestOptions options;
  InferAnswerForm form;
  std::vector<std::unique_ptr<std::byte[]>> buffers;
};

// The value of Inference-Header-Content-Length, for a body of `body_size` bytes; nullopt if it is
// empty. Returns INVALID_ARGUMENT for what is no whole number, or more than the body has.
absl::StatusOr<std::optional<std::size_t>> ParseJsonLength(absl::string_view value,
                                                           std::size_t body_size);

// Reads `body`, the first `json_size` bytes of which are JSON (not 0). Binary tensors become views
// of it; what is JSON becomes the bytes of the binary form.
//
// Returns INVALID_ARGUMENT, saying what it got and wants, for what is no JSON or no inference
// request, names that are there twice, tensors that do not fit their shape, binary data that is
// missing or left over, reserved parameters of a wrong type; OUT_OF_RANGE for tensors of more than
// `max_tensor_bytes`; UNIMPLEMENTED for shared memory. Never allocates more than a small multiple
// of the body's size.
absl::StatusOr<InferBody> ReadInferBody(std::span<const std::byte> body, std::size_t json_size,
                                        std::size_t max_tensor_bytes);

// A body that is the bytes of the model's only input, as one row: what a length of 0 means. The
// outputs are binary. Returns INVALID_ARGUMENT for a model of several inputs, or one whose shape
// does not follow from the number of bytes.
absl::StatusOr<InferBody> RawInferBody(const ModelConfiguration& model,
                                       std::span<const std::byte> body);

}  // namespace octet
