// SPDX-License-Identifier: Apache-2.0
// A model's batching and queues, as ModelConfig tells of them.

#pragma once

#include "proto/inference/open_inference_grpc.pb.h"
#include "server/scheduling/model_scheduling.h"

namespace octet {

void Describe(const ModelScheduling& scheduling, inference::ModelDynamicBatching& message);

}  // namespace octet
