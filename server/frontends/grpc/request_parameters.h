// SPDX-License-Identifier: Apache-2.0
// The parameters of a ModelInferRequest that mean something; proto/README.md lists them.

#pragma once

#include "absl/status/status.h"

#include "server/frontends/grpc/tensor_codec.h"
#include "server/frontends/grpc/wire_format.h"

namespace octet {

enum class ParameterPlace { kRequest, kInput, kOutput };

// Reads one entry of a map<string, InferParameter> into `request`, whose last input or output is
// the one that a parameter of kInput or kOutput is of. A parameter that means nothing here is
// passed over. Returns the errors of DecodeRequest.
absl::Status ReadParameter(Bytes entry, ParameterPlace place, DecodedRequest& request);

}  // namespace octet
