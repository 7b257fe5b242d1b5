// SPDX-License-Identifier: Apache-2.0

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/tensor/data_type.h"
#include "proto/inference/open_inference_grpc.pb.h"
#include "server/frontends/grpc/batching_message.h"
#include "server/frontends/grpc/control_methods.h"
#include "server/inference/inference_statistics.h"
#include "server/inference/model_description.h"
#include "server/inference/repository_requests.h"

namespace octet {
namespace {

inference::DataType ToProto(DataType type) {
  switch (type) {
    case DataType::kBool:
      return inference::TYPE_BOOL;
    case DataType::kInt8:
      return inference::TYPE_INT8;
    case DataType::kUint8:
      return inference::TYPE_UINT8;
    case DataType::kInt16:
      return inference::TYPE_INT16;
    case DataType::kUint16:
      return inference::TYPE_UINT16;
    case DataType::kInt32:
      return inference::TYPE_INT32;
    case DataType::kUint32:
      return inference::TYPE_UINT32;
    case DataType::kInt64:
      return inference::TYPE_INT64;
    case DataType::kUint64:
      return inference::TYPE_UINT64;
    case DataType::kFloat16:
      return inference::TYPE_FP16;
    case DataType::kBfloat16:
      return inference::TYPE_BF16;
    case DataType::kFloat32:
      return inference::TYPE_FP32;
    case DataType::kFloat64:
      return inference::TYPE_FP64;
    case DataType::kInt4:
    case DataType::kUint4:
      break;  // the protocol has no such types
  }
  return inference::TYPE_INVALID;
}

inference::ModelReadyResponse ModelReady(const ControlRooms& rooms, const ModelHandle& model) {
  inference::ModelReadyResponse response;
  response.set_ready(model != nullptr && rooms.service.is_ready());
  return response;
}

inference::ServerMetadataResponse ServerMetadata(const ControlRooms& rooms) {
  inference::ServerMetadataResponse response;
  response.set_name("octet");
  response.set_version(rooms.server_version);
  for (std::string& extension : Extensions(rooms)) response.add_extensions(std::move(extension));
  return response;
}

inference::ModelMetadataResponse ModelMetadata(const ControlRooms& rooms,
                                               const ModelVersion& model) {
  const ModelDescription description = DescribeModel(rooms.repository, model);
  inference::ModelMetadataResponse response;
  response.set_name(description.name);
  for (const std::string& version : description.versions) response.add_versions(version);
  response.set_platform(description.platform);
  const auto add = [](const TensorDescription& tensor, auto* metadata) {
    metadata->set_name(tensor.name);
    metadata->set_datatype(std::string(DataTypeName(tensor.data_type)));
    for (const std::int64_t dim : tensor.dims) metadata->add_shape(dim);
  };
  for (const TensorDescription& input : description.inputs) add(input, response.add_inputs());
  for (const TensorDescription& output : description.outputs) add(output, response.add_outputs());
  for (const auto& [name, value] : description.properties) {
    (*response.mutable_properties())[name] = value;
  }
  return response;
}

inference::ModelConfigResponse ModelConfig(const ModelRepository& repository,
                                           const ModelVersion& model) {
  const ModelConfiguration configuration = ConfigurationOf(repository, model);
  inference::ModelConfigResponse response;
  inference::ModelConfig& config = *response.mutable_config();
  config.set_name(configuration.name);
  config.set_platform(configuration.platform);
  config.set_backend(configuration.backend);
  config.mutable_model_transaction_policy();
  if (configuration.max_batch_size > 0) {
    config.set_max_batch_size(static_cast<int>(configuration.max_batch_size));
    Describe(configuration.scheduling, *config.mutable_dynamic_batching());
  }
  const auto add = [](const TensorDescription& tensor, auto* described) {
    described->set_name(tensor.name);
    described->set_data_type(ToProto(tensor.data_type));
    for (const std::int64_t dim : tensor.dims) described->add_dims(dim);
  };
  for (const TensorDescription& input : configuration.inputs) add(input, config.add_input());
  for (const TensorDescription& output : configuration.outputs) add(output, config.add_output());
  for (const auto& [name, value] : configuration.parameters) {
    (*config.mutable_parameters())[name].set_string_value(value);
  }
  return response;
}

void Set(const CountedTime& time, inference::StatisticDuration* out) {
  out->set_count(time.count);
  out->set_ns(time.nanoseconds);
}

void SetStatistics(const InferenceStatistics& model, inference::ModelStatistics& out) {
  out.set_name(model.name);
  out.set_version(model.version);
  out.set_last_inference(model.last_inference);
  out.set_inference_count(model.inference_count);
  out.set_execution_count(model.execution_count);
  inference::InferStatistics& times = *out.mutable_inference_stats();
  Set(model.success, times.mutable_success());
  Set(model.fail, times.mutable_fail());
  Set(model.queue, times.mutable_queue());
  Set(model.compute_input, times.mutable_compute_input());
  Set(model.compute_infer, times.mutable_compute_infer());
  Set(model.compute_output, times.mutable_compute_output());
  times.mutable_cache_hit();
  times.mutable_cache_miss();
  for (const BatchStatistics& batch : model.batches) {
    inference::InferBatchStatistics& size = *out.add_batch_stats();
    size.set_batch_size(batch.batch_size);
    Set(batch.compute_input, size.mutable_compute_input());
    Set(batch.compute_infer, size.mutable_compute_infer());
    Set(batch.compute_output, size.mutable_compute_output());
  }
}

absl::StatusOr<inference::ModelStatisticsResponse> Statistics(
    const ControlRooms& rooms, const inference::ModelStatisticsRequest& request) {
  ASSIGN_OR_RETURN(const std::vector<InferenceStatistics> all,
                   StatisticsOf(rooms.repository, request.name(), request.version()));
  inference::ModelStatisticsResponse response;
  for (const InferenceStatistics& model : all) SetStatistics(model, *response.add_model_stats());
  return response;
}

absl::StatusOr<inference::RepositoryIndexResponse> Index(
    const ControlRooms& rooms, const inference::RepositoryIndexRequest& request) {
  RETURN_IF_ERROR(CheckRepositoryName(request.repository_name()));
  inference::RepositoryIndexResponse response;
  for (const IndexEntry& entry : rooms.repository.Index()) {
    const bool is_ready = entry.state == VersionState::kReady;
    if (request.ready() && !is_ready) continue;
    auto& model = *response.add_models();
    model.set_name(entry.name);
    model.set_version(entry.version);
    model.set_state(VersionStateName(entry.state));
    model.set_reason(entry.reason);
  }
  return response;
}

class MethodTable {
 public:
  explicit MethodTable(ControlMethods& methods) : methods_(methods) {}

  template <typename Request, typename Response, typename Function>
  void Add(absl::string_view name, Function function) {
    methods_[absl::StrCat("/inference.GRPCInferenceService/", name)] = {
        ControlMethod::Kind::kUnary, Handle<Request, Response>(std::move(function))};
  }

  // A method that is defined only.
  void Lack(absl::string_view name, absl::string_view advice) {
    const std::string message = absl::StrCat(name, " is not offered by this server: ", advice);
    methods_[absl::StrCat("/inference.GRPCInferenceService/", name)] = {
        ControlMethod::Kind::kUnary,
        [message](absl::string_view) { return absl::UnimplementedError(message); }};
  }

 private:
  ControlMethods& methods_;
};

void AddLackingMethods(MethodTable& table) {
  for (const char* const name : {"RepositoryModelLoad", "RepositoryModelUnload"}) {
    table.Lack(name, "models are loaded at start from the model repository");
  }
  for (const char* const name :
       {"SystemSharedMemoryStatus", "SystemSharedMemoryRegister", "SystemSharedMemoryUnregister"}) {
    table.Lack(name,
               "it was not started with --allow-shared-memory; send tensors as raw_input_contents");
  }
  for (const char* const name :
       {"CudaSharedMemoryStatus", "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister"}) {
    table.Lack(name,
               "it computes on CPUs, whose memory CUDA does not share; send tensors as "
               "raw_input_contents, or have them in system shared memory");
  }
}

}  // namespace

std::vector<std::string> Extensions(const ControlRooms& rooms) {
  std::vector<std::string> extensions = {"classification", "model_configuration"};
  // A client takes it for load and unload.
  if (rooms.loader != nullptr) extensions.emplace_back("model_repository");
  extensions.emplace_back("statistics");
  if (rooms.shared_memory != nullptr) extensions.emplace_back("system_shared_memory");
  return extensions;
}

void AddInferenceMethods(const ControlRooms& rooms, ControlMethods& methods) {
  MethodTable table(methods);
  table.Add<inference::ServerLiveRequest, inference::ServerLiveResponse>(
      "ServerLive", [](const auto&) -> absl::StatusOr<inference::ServerLiveResponse> {
        inference::ServerLiveResponse response;
        response.set_live(true);
        return response;
      });
  table.Add<inference::ServerReadyRequest, inference::ServerReadyResponse>(
      "ServerReady", [rooms](const auto&) -> absl::StatusOr<inference::ServerReadyResponse> {
        inference::ServerReadyResponse response;
        response.set_ready(rooms.service.is_ready());
        return response;
      });
  table.Add<inference::ModelReadyRequest, inference::ModelReadyResponse>(
      "ModelReady", [rooms](const auto& request) -> absl::StatusOr<inference::ModelReadyResponse> {
        const absl::StatusOr<ModelHandle> model =
            rooms.repository.Find(request.name(), request.version());
        // One that could not be loaded is not ready; one that there is not is an error.
        if (absl::IsUnavailable(model.status())) return ModelReady(rooms, nullptr);
        if (!model.ok()) return model.status();
        return ModelReady(rooms, *model);
      });
  table.Add<inference::ServerMetadataRequest, inference::ServerMetadataResponse>(
      "ServerMetadata", [rooms](const auto&) -> absl::StatusOr<inference::ServerMetadataResponse> {
        return ServerMetadata(rooms);
      });
  table.Add<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
      "ModelMetadata",
      [rooms](const auto& request) -> absl::StatusOr<inference::ModelMetadataResponse> {
        ASSIGN_OR_RETURN(const ModelHandle model,
                         rooms.repository.Find(request.name(), request.version()));
        return ModelMetadata(rooms, *model);
      });
  table.Add<inference::ModelConfigRequest, inference::ModelConfigResponse>(
      "ModelConfig",
      [rooms](const auto& request) -> absl::StatusOr<inference::ModelConfigResponse> {
        ASSIGN_OR_RETURN(const ModelHandle model,
                         rooms.repository.Find(request.name(), request.version()));
        return ModelConfig(rooms.repository, *model);
      });
  table.Add<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse>(
      "ModelStatistics", [rooms](const auto& request) { return Statistics(rooms, request); });
  table.Add<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>(
      "RepositoryIndex", [rooms](const auto& request) { return Index(rooms, request); });
  AddLackingMethods(table);
}

}  // namespace octet
