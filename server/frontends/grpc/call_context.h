// SPDX-License-Identifier: Apache-2.0
// What the calls of one GrpcServer share, and how the completion queue tells them of events.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "grpcpp/completion_queue.h"

#include "server/access/access_control.h"
#include "server/scheduling/drain_gate.h"

namespace octet {

// What a tag of the completion queue points to.
class QueueEvent {
 public:
  // The operation has ended; `ok` as gRPC says it. May delete this. Called by the worker that
  // polls, whose index is `worker`: one at a time, so that what only events touch needs no lock.
  virtual void Happen(bool ok, std::size_t worker) = 0;

 protected:
  ~QueueEvent() = default;
};

struct CallContext {
  const AccessControl& access;  // who may call what
  grpc::ServerCompletionQueue* queue = nullptr;
  // Everything that may still touch the queue holds a pass: the queue is shut down when it is
  // empty.
  DrainGate alive{};
};

}  // namespace octet
