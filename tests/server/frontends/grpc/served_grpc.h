// SPDX-License-Identifier: Apache-2.0
// A gRPC server of testing::ServedModels that serves, and a client of it.

#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"

#include "proto/inference/open_inference_grpc.grpc.pb.h"
#include "server/frontends/grpc/grpc_server.h"
#include "tests/support/served_models.h"

namespace octet::testing {

inline std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  arguments.SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

inline inference::ModelInferRequest RequestOf(const Tensor& images) {
  inference::ModelInferRequest request;
  request.set_model_name("net");
  auto& input = *request.add_inputs();
  input.set_name("image");
  input.set_datatype("FP32");
  for (const std::int64_t dim : images.dims()) input.add_shape(dim);
  request.add_raw_input_contents(images.bytes().data(), images.bytes().size());
  return request;
}

class ServedGrpc : public ::testing::Test {
 protected:
  explicit ServedGrpc(RequestQueue::Limits queue = {}) : models_(2, queue) {
    GrpcServer::Options options;
    options.address = "127.0.0.1:0";
    options.max_request_bytes = 1 << 20;
    options.server_version = "test";
    server_ = GrpcServer::Create(options, models_.service, models_.repository).value();
    models_.scheduler.Start(*server_);
    for (const ModelHandle& model : models_.repository.ReadyVersions()) {
      EXPECT_TRUE(models_.scheduler.Prepare(model->executable).ok());
    }
    SetState(ServerState::kServing);
    channel_ = Connect(server_->address());
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
  }
  ~ServedGrpc() override { Shutdown(); }

  void SetState(ServerState state) {
    models_.service.SetState(state);
    server_->NotifyStateChanged();
  }
  void Shutdown() {
    if (!server_) return;
    server_->Shutdown(std::chrono::steady_clock::now() + std::chrono::seconds(20));
    models_.scheduler.Join();
    server_.reset();
  }
  grpc::Status Infer(const inference::ModelInferRequest& request,
                     inference::ModelInferResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    return stub_->ModelInfer(&context, request, response);
  }

  ServedModels models_;
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

}  // namespace octet::testing
