// SPDX-License-Identifier: Apache-2.0
// Status to gRPC's.

#pragma once

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace octet {

// The same code; the message is cut where it would not fit into a call's trailers.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace octet
