// SPDX-License-Identifier: Apache-2.0
// What a call's headers say of where its requests come from.

#pragma once

#include <string>

#include "grpcpp/server_context.h"

#include "server/inference/inference_service.h"
#include "server/scheduling/request.h"

namespace octet {

// Begins the record of a request that came in `call` under the message's `id`, if the service has
// an observer. `method` lives for ever.
void ObserveRequest(const InferenceService& service, const grpc::ServerContext& call,
                    const std::string& id, const char* method, InferenceRequest& request);

}  // namespace octet
