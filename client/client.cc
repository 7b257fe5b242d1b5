// SPDX-License-Identifier: Apache-2.0
#include "client/client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"

#include "client/channel.h"
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

using Stub = inference::GRPCInferenceService::Stub;

class Client::Connection {
 public:
  Connection(const std::string& address, std::shared_ptr<const Credentials> credentials)
      : credentials_(std::move(credentials)) {
    if (credentials_) may_use_ = credentials_->CheckUseAt(address);
    if (!may_use_.ok()) return;
    stub_ = inference::GRPCInferenceService::NewStub(
        MakeChannel(address, credentials_.get(), ChannelConnection::kShared));
  }

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, std::chrono::milliseconds timeout,
                    Response& response) const {
    if (!may_use_.ok()) return may_use_;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    Authorize(context, credentials_.get());
    return ToStatus((stub_.get()->*method)(&context, request, &response));
  }

 private:
  std::shared_ptr<const Credentials> credentials_;  // null: none
  absl::Status may_use_;
  std::unique_ptr<Stub> stub_;  // null where they may not be used
};

Client::Client(const std::string& address, std::shared_ptr<const Credentials> credentials)
    : connection_(std::make_unique<Connection>(address, std::move(credentials))) {}
Client::~Client() = default;

absl::StatusOr<bool> Client::ServerReady(std::chrono::milliseconds timeout) {
  inference::ServerReadyResponse response;
  const absl::Status status =
      connection_->Call(&Stub::ServerReady, inference::ServerReadyRequest(), timeout, response);
  if (!status.ok()) return status;
  return response.ready();
}

absl::StatusOr<ServerMetadata> Client::GetServerMetadata(std::chrono::milliseconds timeout) {
  inference::ServerMetadataResponse response;
  const absl::Status status = connection_->Call(
      &Stub::ServerMetadata, inference::ServerMetadataRequest(), timeout, response);
  if (!status.ok()) return status;
  return ServerMetadata{.name = response.name(), .version = response.version()};
}

absl::StatusOr<std::vector<IndexedModel>> Client::GetRepositoryIndex(
    std::chrono::milliseconds timeout) {
  inference::RepositoryIndexResponse response;
  const absl::Status status = connection_->Call(
      &Stub::RepositoryIndex, inference::RepositoryIndexRequest(), timeout, response);
  if (!status.ok()) return status;
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
  inference::ModelMetadataRequest request;
  request.set_name(model);
  request.set_version(version);
  inference::ModelMetadataResponse response;
  const absl::Status status = connection_->Call(&Stub::ModelMetadata, request, timeout, response);
  if (!status.ok()) return status;
  return ModelMetadata{.name = response.name(),
                       .versions = {response.versions().begin(), response.versions().end()},
                       .platform = response.platform(),
                       .inputs = ToMetadata(response.inputs()),
                       .outputs = ToMetadata(response.outputs())};
}

absl::StatusOr<InferResponse> Client::Infer(const InferRequest& request,
                                            std::chrono::milliseconds timeout) {
  inference::ModelInferResponse response;
  const absl::Status status =
      connection_->Call(&Stub::ModelInfer, ToMessage(request), timeout, response);
  if (!status.ok()) return status;
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
