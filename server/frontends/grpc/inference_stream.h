// SPDX-License-Identifier: Apache-2.0
// ModelStreamInfer: a stream of requests to a stream of their answers.
//
// Each request is one of its own, as if it had come by ModelInfer: it is queued as soon as it was
// read, may share a batch with any other, has its deadline (the stream's, or its own parameter
// "timeout") and its error, which ends nothing but itself. Several are under way at once; the
// answers leave in the order of the requests, each with its id. No thread belongs to a stream.
//
// A stream that is slow to read its answers is not read from: it has at most kMostUnanswered
// requests, and at most kMostUnansweredBytes of them and of answers, in the server (one request and
// its answer may be larger).

#pragma once

#include <atomic>
#include <cstddef>
#include <unordered_set>

#include "server/frontends/grpc/call_context.h"
#include "server/frontends/grpc/inference_grpc_service.h"
#include "server/inference/inference_service.h"

namespace octet {

// Thread safety: as QueueEvent, one thread at a time, but for num_calls.
class InferenceStreamFrontEnd {
 public:
  static constexpr std::size_t kMostUnanswered = 256;
  static constexpr std::size_t kMostUnansweredBytes = std::size_t{64} << 20;

  // The references are borrowed for as long as calls may come.
  InferenceStreamFrontEnd(CallContext& context, InferenceService& service,
                          InferenceGrpcService& grpc_service, std::size_t max_tensor_bytes);
  InferenceStreamFrontEnd(const InferenceStreamFrontEnd&) = delete;
  InferenceStreamFrontEnd& operator=(const InferenceStreamFrontEnd&) = delete;

  // Makes ready for `count` calls; each that comes makes ready for another.
  void Expect(std::size_t count);

  // Reads no further request from any stream, and ends each with UNAVAILABLE once what was read of
  // it is answered; ends at once each stream that comes from now on.
  void EndAll();

  // Calls that are made ready for, or that have not ended yet. Any thread may ask.
  [[nodiscard]] std::size_t num_calls() const { return num_calls_; }

 private:
  class Call;

  CallContext& context_;
  InferenceService& service_;
  InferenceGrpcService& grpc_service_;
  const std::size_t max_tensor_bytes_;
  std::unordered_set<Call*> open_;
  bool ends_streams_ = false;
  std::atomic<std::size_t> num_calls_ = 0;
};

}  // namespace octet
