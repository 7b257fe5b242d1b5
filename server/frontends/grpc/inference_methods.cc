// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/tensor/data_type.h"
#include "proto/inference/open_inference_grpc.pb.h"
#include "server/frontends/grpc/batching_message.h"
#include "server/frontends/grpc/control_methods.h"
#include "server/inference/request_validation.h"

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

std::int64_t ToProto(const Dim& dim) { return dim.is_constant() ? dim.value() : -1; }

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
  inference::ModelMetadataResponse response;
  response.set_name(model.name);
  for (const ModelHandle& other : rooms.repository.ReadyVersions()) {
    if (other->name == model.name) response.add_versions(other->version_string);
  }
  response.set_platform("octet");
  const auto add = [](const TensorSignature& tensor, auto* metadata) {
    metadata->set_name(tensor.name);
    metadata->set_datatype(std::string(DataTypeName(tensor.type.data_type)));
    for (const Dim& dim : tensor.type.shape) metadata->add_shape(ToProto(dim));
  };
  for (const TensorSignature& input : model.executable->inputs()) add(input, response.add_inputs());
  for (const TensorSignature& output : model.executable->outputs()) {
    add(output, response.add_outputs());
  }
  auto& properties = *response.mutable_properties();
  properties["precision"] = model.precision;
  properties["kernel_set"] = model.kernel_set;
  properties["digest"] = model.digest;
  return response;
}

inference::ModelConfigResponse ModelConfig(const ModelRepository& repository,
                                           const ModelVersion& model) {
  inference::ModelConfigResponse response;
  inference::ModelConfig& config = *response.mutable_config();
  config.set_name(model.name);
  config.set_platform("octet");
  config.set_backend("octet");
  config.mutable_model_transaction_policy();
  const Executable& executable = *model.executable;
  const bool takes_batches = executable.takes_batches();
  if (takes_batches) {
    config.set_max_batch_size(static_cast<int>(kMaxRequestRows));
    const ModelSettings* const settings = repository.SettingsOf(model.name);
    Describe(settings == nullptr ? ModelScheduling() : settings->scheduling,
             *config.mutable_dynamic_batching());
  }
  const auto add = [takes_batches](const TensorSignature& tensor, auto* described) {
    described->set_name(tensor.name);
    described->set_data_type(ToProto(tensor.type.data_type));
    const Shape& shape = tensor.type.shape;
    for (std::size_t i = takes_batches ? 1 : 0; i < shape.size(); ++i) {
      described->add_dims(ToProto(shape[i]));
    }
  };
  for (const TensorSignature& input : executable.inputs()) add(input, config.add_input());
  for (const TensorSignature& output : executable.outputs()) add(output, config.add_output());
  auto& parameters = *config.mutable_parameters();
  parameters["precision"].set_string_value(model.precision);
  parameters["kernel_set"].set_string_value(model.kernel_set);
  parameters["digest"].set_string_value(model.digest);
  return response;
}

void Set(std::uint64_t count, std::uint64_t nanoseconds, inference::StatisticDuration* out) {
  out->set_count(count);
  out->set_ns(nanoseconds);
}
void Set(const DurationSum& sum, inference::StatisticDuration* out) {
  Set(sum.count, sum.nanoseconds, out);
}
std::uint64_t Nanoseconds(const LatencyCounts& counts) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(counts.sum_nanoseconds, 0));
}

void SetStatistics(const ModelVersion& model, inference::ModelStatistics& out) {
  const ModelStatistics statistics = model.metrics->Statistics();
  const auto stage = [&](Stage s) -> const LatencyCounts& {
    return statistics.stages[static_cast<std::size_t>(s)];
  };
  out.set_name(model.name);
  out.set_version(model.version_string);
  out.set_last_inference(static_cast<std::uint64_t>(
      std::max<std::int64_t>(statistics.last_inference_unix_milliseconds, 0)));
  out.set_inference_count(statistics.num_rows);
  out.set_execution_count(statistics.num_batches);
  inference::InferStatistics& times = *out.mutable_inference_stats();
  Set(statistics.success, times.mutable_success());
  Set(statistics.failure, times.mutable_fail());
  const auto set_stage = [&](Stage s, inference::StatisticDuration* to) {
    Set(stage(s).count, Nanoseconds(stage(s)), to);
  };
  set_stage(Stage::kQueue, times.mutable_queue());
  set_stage(Stage::kParse, times.mutable_compute_input());
  Set(stage(Stage::kCompute).count,
      Nanoseconds(stage(Stage::kQuantize)) + Nanoseconds(stage(Stage::kCompute)),
      times.mutable_compute_infer());
  set_stage(Stage::kRespond, times.mutable_compute_output());
  times.mutable_cache_hit();
  times.mutable_cache_miss();
  for (const BatchSizeStatistics& batch : statistics.batches) {
    inference::InferBatchStatistics& size = *out.add_batch_stats();
    size.set_batch_size(static_cast<std::uint64_t>(batch.rows));
    Set(batch.gather, size.mutable_compute_input());
    Set(batch.run, size.mutable_compute_infer());
    Set(batch.scatter, size.mutable_compute_output());
  }
}

absl::StatusOr<inference::ModelStatisticsResponse> Statistics(
    const ControlRooms& rooms, const inference::ModelStatisticsRequest& request) {
  inference::ModelStatisticsResponse response;
  if (!request.name().empty()) {
    ASSIGN_OR_RETURN(const ModelHandle model,
                     rooms.repository.Find(request.name(), request.version()));
    if (!request.version().empty()) {
      SetStatistics(*model, *response.add_model_stats());
      return response;
    }
  }
  for (const ModelHandle& model : rooms.repository.ReadyVersions()) {
    if (request.name().empty() || model->name == request.name()) {
      SetStatistics(*model, *response.add_model_stats());
    }
  }
  return response;
}

absl::StatusOr<inference::RepositoryIndexResponse> Index(
    const ControlRooms& rooms, const inference::RepositoryIndexRequest& request) {
  if (!request.repository_name().empty()) {
    return absl::NotFoundError("there is one repository, which has no name; leave it empty");
  }
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
