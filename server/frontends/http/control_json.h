// SPDX-License-Identifier: Apache-2.0
// What clients may know of models as the protocol's JSON.

#pragma once

#include <string>
#include <vector>

#include "server/inference/inference_statistics.h"
#include "server/inference/model_description.h"
#include "server/inference/protocol_settings.h"
#include "server/repository/model_repository.h"

namespace octet {

// {"name", "versions", "platform", "inputs": [{"name", "datatype", "shape"}], "outputs",
// "properties"}; an open dimension is -1.
std::string ToJson(const ModelDescription& description);

// As Triton writes its ModelConfig: {"name", "max_batch_size", "input": [{"data_type": "TYPE_FP32",
// "dims"}], ...}.
std::string ToJson(const ModelConfiguration& configuration);

// {"model_stats": [...]}.
std::string ToJson(const std::vector<InferenceStatistics>& statistics);

// [{"name", "version", "state", "reason"}].
std::string ToJson(const std::vector<IndexEntry>& index);

// {"trace_level": ["OFF"], ...}: each value in an array, but for those that can be one only.
std::string ToJson(const TraceValues& values);
std::string ToJson(const LogValues& values);

}  // namespace octet
