// SPDX-License-Identifier: Apache-2.0
// The generated service, of which ModelInfer and ModelStreamInfer are raw; its other methods go to
// the server's generic service (control_call.h).

#pragma once

#include "proto/inference/open_inference_grpc.grpc.pb.h"

namespace octet {
namespace inference_methods {

using Rpc = inference::GRPCInferenceService;

// Each of these takes a method away from the generated service's synchronous side.
template <typename Base>
using HealthToGeneric = Rpc::WithGenericMethod_ServerLive<
    Rpc::WithGenericMethod_ServerReady<Rpc::WithGenericMethod_ModelReady<Base>>>;
template <typename Base>
using MetadataToGeneric = Rpc::WithGenericMethod_ServerMetadata<
    Rpc::WithGenericMethod_ModelMetadata<Rpc::WithGenericMethod_ModelConfig<
        Rpc::WithGenericMethod_ModelStatistics<Rpc::WithGenericMethod_RepositoryIndex<Base>>>>>;
template <typename Base>
using SharedMemoryToGeneric = Rpc::WithGenericMethod_SystemSharedMemoryStatus<
    Rpc::WithGenericMethod_SystemSharedMemoryRegister<
        Rpc::WithGenericMethod_SystemSharedMemoryUnregister<
            Rpc::WithGenericMethod_CudaSharedMemoryStatus<
                Rpc::WithGenericMethod_CudaSharedMemoryRegister<
                    Rpc::WithGenericMethod_CudaSharedMemoryUnregister<Base>>>>>>;
template <typename Base>
using OthersToGeneric =
    Rpc::WithGenericMethod_RepositoryModelLoad<Rpc::WithGenericMethod_RepositoryModelUnload<
        Rpc::WithGenericMethod_TraceSetting<Rpc::WithGenericMethod_LogSettings<Base>>>>;
template <typename Base>
using InferenceToRaw = Rpc::WithRawMethod_ModelInfer<Rpc::WithRawMethod_ModelStreamInfer<Base>>;

}  // namespace inference_methods

class InferenceGrpcService final
    : public inference_methods::InferenceToRaw<inference_methods::HealthToGeneric<
          inference_methods::MetadataToGeneric<inference_methods::SharedMemoryToGeneric<
              inference_methods::OthersToGeneric<inference::GRPCInferenceService::Service>>>>> {};

}  // namespace octet
