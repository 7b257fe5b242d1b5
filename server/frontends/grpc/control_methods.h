// SPDX-License-Identifier: Apache-2.0
// The methods beside ModelInfer and ModelStreamInfer: what each answers. No transport here.

#pragma once

#include <string>
#include <vector>

#include "server/frontends/grpc/control_call.h"
#include "server/inference/inference_service.h"
#include "server/inference/protocol_settings.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_loader.h"
#include "server/shared_memory/shared_memory_regions.h"

namespace octet {

// What the answers are made from. The references are borrowed.
struct ControlRooms {
  const InferenceService& service;
  const ModelRepository& repository;
  std::string server_version;
  RepositoryLoader* loader = nullptr;            // null: clients cannot load and unload
  SharedMemoryRegions* shared_memory = nullptr;  // null: clients cannot register any
  ProtocolSettings settings = {};
};

// The extensions of the protocol that are there to their full extent, in alphabetical order.
std::vector<std::string> Extensions(const ControlRooms& rooms);

// Adds the methods of inference.GRPCInferenceService: those that are implemented, and those that
// are defined only, whose UNIMPLEMENTED says what to do instead.
void AddInferenceMethods(const ControlRooms& rooms, ControlMethods& methods);

// Adds TraceSetting and LogSettings of it, which tell what is set and refuse to change it.
void AddSettingsMethods(const ControlRooms& rooms, ControlMethods& methods);

// Adds RepositoryModelLoad and RepositoryModelUnload, in the place of those that are defined only.
// Precondition: there is a loader.
void AddRepositoryMethods(const ControlRooms& rooms, ControlMethods& methods);

// Adds SystemSharedMemoryRegister, -Unregister and -Status, in the place of those that are defined
// only; for callers of this machine alone. And CudaSharedMemoryUnregister, which has nothing to do:
// clients call it beside the other. Precondition: there is shared memory.
void AddSharedMemoryMethods(const ControlRooms& rooms, ControlMethods& methods);

// Adds grpc.health.v1.Health. Known services: "" and "inference.GRPCInferenceService".
void AddHealthMethods(const ControlRooms& rooms, ControlMethods& methods);

// Adds grpc.reflection.v1alpha.ServerReflection, which lists the services of `services`.
void AddReflectionMethods(std::vector<std::string> services, ControlMethods& methods);

}  // namespace octet
