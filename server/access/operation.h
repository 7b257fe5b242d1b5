// SPDX-License-Identifier: Apache-2.0
// What a call does, which decides the roles that may make it.

#pragma once

#include <cstdint>
#include <span>

#include "absl/strings/string_view.h"

#include "server/access/roles.h"

namespace octet {

enum class Operation : std::uint8_t {
  kHealth,    // whether the server, or a model, is there: anybody, unless it is protected
  kDescribe,  // what a client asks before it infers: metadata and configuration of server and model
  kInfer,
  kRead,    // statistics, the repository's index, metrics, the page, reflection
  kManage,  // loading and unloading; trace, log and shared-memory settings
};

// The roles of which any one is enough.
Roles RolesFor(Operation operation);

// A method of a gRPC service.
struct RpcOperation {
  const char* path;  // "/inference.GRPCInferenceService/ModelInfer"
  Operation operation;
};

// Every method there is, by path.
std::span<const RpcOperation> RpcOperations();

// What the method at `path` does: kManage of one that is not listed, so that what was forgotten is
// closed.
Operation OperationOfRpc(absl::string_view path);

}  // namespace octet
