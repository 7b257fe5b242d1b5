// SPDX-License-Identifier: Apache-2.0
// A message of a call to an InferenceRequest, an answer to a message: what ModelInfer and
// ModelStreamInfer share.

#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "grpc/support/time.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"

#include "server/frontends/grpc/tensor_codec.h"
#include "server/scheduling/request.h"

namespace octet {

// The most bytes of an answer's typed contents.
inline constexpr std::size_t kMostTypedBytes = std::size_t{1} << 30;

// What outlives the reading of a request, until it is answered.
struct RequestMessage {
  std::vector<grpc::Slice> slices;  // keep the request's bytes
  std::deque<std::unique_ptr<std::byte[]>> buffers;
  AnswerForm form;
};

// Reads `bytes`, a ModelInferRequest that has just come in a call of `deadline`, into `request` and
// `message`, whose bytes the request's inputs refer to. All of `request` is set but its completion.
// Returns the errors of DecodeRequest; arrival, deadline and, if it can be read, the id are set
// also then.
absl::Status ReadRequest(const grpc::ByteBuffer& bytes, gpr_timespec deadline,
                         std::size_t max_tensor_bytes, RequestMessage& message,
                         InferenceRequest& request);

// The message of `encoded`, which is of `answer`. Large outputs stay where they lie; the message
// holds the answer's owner then.
grpc::ByteBuffer ToByteBuffer(const InferenceAnswer& answer, EncodedAnswer encoded);

}  // namespace octet
