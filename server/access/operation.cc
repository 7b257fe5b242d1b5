// SPDX-License-Identifier: Apache-2.0

#include "server/access/operation.h"

#include <array>

namespace octet {
namespace {

using enum Operation;

// docs/security.md has a row for each; a test compares this with the services.
constexpr std::array kRpcs = {
    RpcOperation{"/grpc.health.v1.Health/Check", kHealth},
    RpcOperation{"/grpc.health.v1.Health/Watch", kHealth},
    RpcOperation{"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kRead},
    RpcOperation{"/inference.GRPCInferenceService/CudaSharedMemoryRegister", kManage},
    RpcOperation{"/inference.GRPCInferenceService/CudaSharedMemoryStatus", kManage},
    RpcOperation{"/inference.GRPCInferenceService/CudaSharedMemoryUnregister", kManage},
    RpcOperation{"/inference.GRPCInferenceService/LogSettings", kManage},
    RpcOperation{"/inference.GRPCInferenceService/ModelConfig", kDescribe},
    RpcOperation{"/inference.GRPCInferenceService/ModelInfer", kInfer},
    RpcOperation{"/inference.GRPCInferenceService/ModelMetadata", kDescribe},
    RpcOperation{"/inference.GRPCInferenceService/ModelReady", kHealth},
    RpcOperation{"/inference.GRPCInferenceService/ModelStatistics", kRead},
    RpcOperation{"/inference.GRPCInferenceService/ModelStreamInfer", kInfer},
    RpcOperation{"/inference.GRPCInferenceService/RepositoryIndex", kRead},
    RpcOperation{"/inference.GRPCInferenceService/RepositoryModelLoad", kManage},
    RpcOperation{"/inference.GRPCInferenceService/RepositoryModelUnload", kManage},
    RpcOperation{"/inference.GRPCInferenceService/ServerLive", kHealth},
    RpcOperation{"/inference.GRPCInferenceService/ServerMetadata", kDescribe},
    RpcOperation{"/inference.GRPCInferenceService/ServerReady", kHealth},
    RpcOperation{"/inference.GRPCInferenceService/SystemSharedMemoryRegister", kManage},
    RpcOperation{"/inference.GRPCInferenceService/SystemSharedMemoryStatus", kManage},
    RpcOperation{"/inference.GRPCInferenceService/SystemSharedMemoryUnregister", kManage},
    RpcOperation{"/inference.GRPCInferenceService/TraceSetting", kManage},
};

}  // namespace

Roles RolesFor(Operation operation) {
  switch (operation) {
    case kHealth:
    case kDescribe:
      return {Role::kInfer, Role::kRead, Role::kAdmin};
    case kInfer:
      return {Role::kInfer};
    case kRead:
      return {Role::kRead, Role::kAdmin};
    case kManage:
      break;
  }
  return {Role::kAdmin};
}

std::span<const RpcOperation> RpcOperations() { return kRpcs; }

Operation OperationOfRpc(absl::string_view path) {
  for (const RpcOperation& rpc : kRpcs) {
    if (path == rpc.path) return rpc.operation;
  }
  return kManage;
}

}  // namespace octet
