// SPDX-License-Identifier: Apache-2.0
// A server of the Open Inference Protocol over gRPC inside the test: model "twice" answers y = 2x
// for x of [rows, 3]; everything else is NOT_FOUND.

#pragma once

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grpcpp/grpcpp.h"

#include "proto/inference/open_inference_grpc.grpc.pb.h"

namespace octet::testing {

class FakeInferenceServer final : public inference::GRPCInferenceService::Service {
 public:
  explicit FakeInferenceServer(const std::shared_ptr<grpc::ServerCredentials>& credentials =
                                   grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeInferenceServer() override {
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    server_->Wait();
  }
  FakeInferenceServer(const FakeInferenceServer&) = delete;
  FakeInferenceServer& operator=(const FakeInferenceServer&) = delete;

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int num_infer_calls() const { return num_infer_calls_; }

  // Set before the first call.
  std::chrono::milliseconds delay{0};  // before each answer to ModelInfer
  // Changes what ModelInfer answers; `call` counts from 0.
  std::function<grpc::Status(int call, inference::ModelInferResponse& response)> edit = {};
  // What every call's header authorization has to be; empty: nothing is asked.
  std::string authorization = {};

  grpc::Status ServerReady(grpc::ServerContext* /*context*/,
                           const inference::ServerReadyRequest* /*request*/,
                           inference::ServerReadyResponse* response) override {
    response->set_ready(true);
    return grpc::Status::OK;
  }

  grpc::Status ModelMetadata(grpc::ServerContext* context,
                             const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override {
    if (!IsAuthorized(*context)) return Unauthenticated();
    if (request->name() != "twice") return Unknown(request->name());
    response->set_name("twice");
    response->add_versions("1");
    response->set_platform("fake");
    for (auto* const tensor : {response->add_inputs(), response->add_outputs()}) {
      tensor->set_name(tensor == &response->inputs(0) ? "x" : "y");
      tensor->set_datatype("FP32");
      tensor->add_shape(-1);
      tensor->add_shape(3);
    }
    return grpc::Status::OK;
  }

  grpc::Status ModelInfer(grpc::ServerContext* context, const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override {
    if (!IsAuthorized(*context)) return Unauthenticated();
    const int call = num_infer_calls_++;
    std::this_thread::sleep_for(delay);
    if (request->model_name() != "twice") return Unknown(request->model_name());
    response->set_model_name("twice");
    response->set_model_version("1");
    response->set_id(request->id());
    auto* const output = response->add_outputs();
    output->set_name("y");
    output->set_datatype("FP32");
    *output->mutable_shape() = request->inputs(0).shape();
    const std::string& bytes = request->raw_input_contents(0);
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    for (float& value : values) value *= 2;
    response->add_raw_output_contents(values.data(), values.size() * sizeof(float));
    auto& parameters = *response->mutable_parameters();
    parameters["has_timing"].set_bool_param(request->parameters().count("octet_timing") > 0);
    parameters["kernel"].set_string_param("fake");
    parameters["rows"].set_int64_param(request->inputs(0).shape(0));
    return edit ? edit(call, *response) : grpc::Status::OK;
  }

 private:
  [[nodiscard]] bool IsAuthorized(const grpc::ServerContext& context) const {
    const auto found = context.client_metadata().find("authorization");
    const bool has_any = found != context.client_metadata().end();
    return authorization.empty() ||
           (has_any && authorization == std::string(found->second.data(), found->second.size()));
  }
  static grpc::Status Unauthenticated() {
    return {grpc::StatusCode::UNAUTHENTICATED, "needs the role infer"};
  }
  static grpc::Status Unknown(const std::string& name) {
    return {grpc::StatusCode::NOT_FOUND, "no model \"" + name + "\""};
  }

  int port_ = 0;
  std::atomic<int> num_infer_calls_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace octet::testing
