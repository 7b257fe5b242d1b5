// SPDX-License-Identifier: Apache-2.0
// ModelInfer: bytes to a request, an answer to bytes. No decisions.

#pragma once

#include <atomic>
#include <cstddef>

#include "server/frontends/grpc/call_context.h"
#include "server/frontends/grpc/inference_grpc_service.h"
#include "server/inference/inference_service.h"

namespace octet {

class InferenceFrontEnd {
 public:
  // The references are borrowed for as long as calls may come.
  InferenceFrontEnd(CallContext& context, InferenceService& service,
                    InferenceGrpcService& grpc_service, std::size_t max_tensor_bytes);
  InferenceFrontEnd(const InferenceFrontEnd&) = delete;
  InferenceFrontEnd& operator=(const InferenceFrontEnd&) = delete;

  // Makes ready for `count` calls; each that comes makes ready for another.
  void Expect(std::size_t count);

  // Calls that are made ready for, or whose answers have not left yet. None is made ready for once
  // the server shuts down: at 0, every request that was whole by then has its answer on the wire.
  // Thread safety: any thread.
  [[nodiscard]] std::size_t num_calls() const { return num_calls_; }

 private:
  class Call;

  CallContext& context_;
  InferenceService& service_;
  InferenceGrpcService& grpc_service_;
  const std::size_t max_tensor_bytes_;
  std::atomic<std::size_t> num_calls_ = 0;
};

}  // namespace octet
