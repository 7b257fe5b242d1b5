// SPDX-License-Identifier: Apache-2.0
// The answer to an inference request as an HTTP reply.

#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/frontends/http/http_message.h"
#include "server/frontends/http/infer_request.h"
#include "server/scheduling/request.h"

namespace octet {

// JSON, with the outputs that `form` wants binary behind it: where they lie, which the reply keeps.
// Precondition: `form.binary_outputs` is empty or has an entry for each output.
// Returns INVALID_ARGUMENT for an output that has no JSON form, RESOURCE_EXHAUSTED for more than
// `max_json_bytes` of JSON.
absl::StatusOr<HttpReply> InferReply(const InferenceAnswer& answer, const InferAnswerForm& form,
                                     std::size_t max_json_bytes);

// Puts the reply in a coding that the client accepts, where that is of use: not where it is short,
// nor where it is binary tensors and the client did not ask for that one coding alone.
void Compress(absl::string_view accept_encoding, HttpReply& reply);

}  // namespace octet
