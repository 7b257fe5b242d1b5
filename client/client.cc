// SPDX-License-Identifier: Apache-2.0
#include "client/client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"

#include "proto/inference/open_inference_grpc.grpc.pb.h"

namespace octet::client {
namespace {

absl::Status ToStatus(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

std::string ParameterText(const inference::InferParameter& parameter) {
  switch (parameter.parameter_choice_case()) {
    case inference::InferParameter::kBoolParam:
      return parameter.bool_param() ? "true" : "false";
    case inference::InferParameter::kInt64Param:
      return absl::StrCat(parameter.int64_param());
    case inference::InferParameter::kStringParam:
      return parameter.string_param();
    case inference::InferParameter::kDoubleParam:
      return absl::StrCat(parameter.double_param());
    case inference::InferParameter::kUint64Param:
      return absl::StrCat(parameter.uint64_param());
    case inference::InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return "";
}

inference::ModelInferRequest ToMessage(const InferRequest& request) {
  inference::ModelInferRequest message;
  message.set_model_name(request.model);
  message.set_model_version(request.version);
  message.set_id(request.id);
  if (request.wants_timing) (*message.mutable_parameters())["octet_timing"].set_bool_param(true);
  for (const WireTensor& tensor : request.inputs) {
    auto* input = message.add_inputs();
    input->set_name(tensor.name);
    input->set_datatype(tensor.datatype);
    for (const std::int64_t dim : tensor.shape) input->add_shape(dim);
    message.add_raw_input_contents(tensor.bytes);
  }
  return message;
}

absl::StatusOr<InferResponse> FromMessage(inference::ModelInferResponse&& message) {
  if (message.raw_output_contents_size() != message.outputs_size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the response has ", message.outputs_size(), " outputs and ",
        message.raw_output_contents_size(), " raw contents, wants one for each output"));
  }
  InferResponse response{.model = message.model_name(),
                         .version = message.model_version(),
                         .id = message.id(),
                         .outputs = {},
                         .parameters = {}};
  for (const auto& [name, parameter] : message.parameters()) {
    response.parameters[name] = ParameterText(parameter);
  }
  for (int i = 0; i < message.outputs_size(); ++i) {
    const auto& output = message.outputs(i);
    response.outputs.push_back({.name = output.name(),
                                .datatype = output.datatype(),
                                .shape = {output.shape().begin(), output.shape().end()},
                                .bytes = std::move(*message.mutable_raw_output_contents(i))});
  }
  return response;
}

template <typename Tensors>
std::vector<TensorMetadata> ToMetadata(const Tensors& tensors) {
  std::vector<TensorMetadata> result;
  for (const auto& tensor : tensors) {
    result.push_back({.name = tensor.name(),
                      .datatype = tensor.datatype(),
                      .shape = {tensor.shape().begin(), tensor.shape().end()}});
  }
  return result;
}

}  // namespace

class Client::Connection {
 public:
  explicit Connection(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    stub_ = inference::GRPCInferenceService::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }
  [[nodiscard]] inference::GRPCInferenceService::Stub& stub() const { return *stub_; }

 private:
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

namespace {

void SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds timeout) {
  context.set_deadline(std::chrono::system_clock::now() + timeout);
}

}  // namespace

Client::Client(const std::string& address) : connection_(std::make_unique<Connection>(address)) {}
Client::~Client() = default;

absl::StatusOr<bool> Client::ServerReady(std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  inference::ServerReadyResponse response;
  const grpc::Status status = connection_->stub().ServerReady(&context, {}, &response);
  if (!status.ok()) return ToStatus(status);
  return response.ready();
}

absl::StatusOr<ServerMetadata> Client::GetServerMetadata(std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  inference::ServerMetadataResponse response;
  const grpc::Status status = connection_->stub().ServerMetadata(&context, {}, &response);
  if (!status.ok()) return ToStatus(status);
  return ServerMetadata{.name = response.name(), .version = response.version()};
}

absl::StatusOr<std::vector<IndexedModel>> Client::GetRepositoryIndex(
    std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  inference::RepositoryIndexResponse response;
  const grpc::Status status = connection_->stub().RepositoryIndex(&context, {}, &response);
  if (!status.ok()) return ToStatus(status);
  std::vector<IndexedModel> models;
  for (const auto& model : response.models()) {
    models.push_back({.name = model.name(),
                      .version = model.version(),
                      .state = model.state(),
                      .reason = model.reason()});
  }
  return models;
}

absl::StatusOr<ModelMetadata> Client::GetModelMetadata(const std::string& model,
                                                       const std::string& version,
                                                       std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  inference::ModelMetadataRequest request;
  request.set_name(model);
  request.set_version(version);
  inference::ModelMetadataResponse response;
  const grpc::Status status = connection_->stub().ModelMetadata(&context, request, &response);
  if (!status.ok()) return ToStatus(status);
  return ModelMetadata{.name = response.name(),
                       .versions = {response.versions().begin(), response.versions().end()},
                       .platform = response.platform(),
                       .inputs = ToMetadata(response.inputs()),
                       .outputs = ToMetadata(response.outputs())};
}

absl::StatusOr<InferResponse> Client::Infer(const InferRequest& request,
                                            std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  inference::ModelInferResponse response;
  const grpc::Status status =
      connection_->stub().ModelInfer(&context, ToMessage(request), &response);
  if (!status.ok()) return ToStatus(status);
  return FromMessage(std::move(response));
}

std::string SerializeInferRequest(const InferRequest& request) {
  return ToMessage(request).SerializeAsString();
}

absl::StatusOr<InferResponse> ParseInferResponse(const std::string& bytes) {
  inference::ModelInferResponse message;
  if (!message.ParseFromString(bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", bytes.size(), " bytes that are no ModelInferResponse"));
  }
  return FromMessage(std::move(message));
}

}  // namespace octet::client
