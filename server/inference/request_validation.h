// SPDX-License-Identifier: Apache-2.0
// Request tensors against the model's signature: the one gate between a request and a Session.

#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "models/runtime/executable.h"
#include "server/scheduling/request.h"

namespace octet {

// The most rows of one request. What a client sees as the largest batch.
inline constexpr std::int64_t kMaxRequestRows = 65536;

// Checks `request`'s inputs and outputs against `executable`'s signature and fills in
// `bound_inputs`, `output_indices` and `rows`. Pure but for those.
//
// Returns INVALID_ARGUMENT, naming the tensor, what it got and what it wants, for an input that is
// unknown, missing or given twice, for a datatype, rank, dimension or number of bytes other than
// the signature's, for dimensions that disagree about a symbol, for fewer than one row or more than
// kMaxRequestRows, for an output that is unknown or asked for twice, for classes of one that is not
// of numbers or has fewer elements in a row (where the model fixes how many), and for an output of
// a datatype without typed contents if those are wanted.
absl::Status BindRequest(const Executable& executable, InferenceRequest& request);

}  // namespace octet
