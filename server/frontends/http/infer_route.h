// SPDX-License-Identifier: Apache-2.0
// Inference over REST: a whole request to a worker, which decodes, runs and encodes it.

#pragma once

#include <cstddef>
#include <functional>

#include "server/frontends/http/http_service.h"
#include "server/frontends/http/route_table.h"
#include "server/inference/inference_service.h"
#include "server/repository/model_repository.h"
#include "server/scheduling/posted_work.h"

namespace octet {

struct InferRooms {
  InferenceService& service;
  const ModelRepository& repository;
  PostedWork& workers;
  ByteBudget& bodies;  // for those that are inflated
  std::size_t max_request_bytes;
};

// By an inference request's head: why its body is not to come, with the status of it. Wants a
// length or chunks, a body of JSON or bytes, and a coding that is known.
std::optional<HttpReply> CheckInferHead(const RequestHead& head);

// Hands `request` to a worker. `answer` is called once, on a worker's thread, or at once where the
// workers have been told to end. The rooms are borrowed until then.
void Infer(const InferRooms& rooms, RouteMatch match, HttpRequest request, HttpAnswer answer);

}  // namespace octet
