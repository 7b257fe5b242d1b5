// SPDX-License-Identifier: Apache-2.0
// The least that a gRPC server can do with a ModelInfer call: it answers with the request's own
// bytes, on the raw completion-queue API that octet-server uses, on one thread or several. What
// octet-server takes beyond it is ours. Libraries are set up as octet-server has them.
//
// Usage: echo_server ADDRESS [THREADS]. Prints "ready PORT". Ends when standard input does.

#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/async_unary_call.h"
#include "grpcpp/support/byte_buffer.h"

#include "proto/inference/open_inference_grpc.grpc.pb.h"
#include "server/process/library_defaults.h"

namespace {

using Service = inference::GRPCInferenceService::WithRawMethod_ModelInfer<
    inference::GRPCInferenceService::AsyncService>;

// Deletes itself after its answer.
class Call {
 public:
  Call(Service& service, grpc::ServerCompletionQueue& queue)
      : service_(service), queue_(queue), responder_(&context_) {
    service_.RequestModelInfer(&context_, &bytes_, &responder_, &queue_, &queue_, this);
  }
  void Happen(bool ok) {
    if (answered_ || !ok) {
      delete this;
      return;
    }
    new Call(service_, queue_);
    answered_ = true;
    responder_.Finish(bytes_, grpc::Status::OK, this);
  }

 private:
  ~Call() = default;

  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  grpc::ByteBuffer bytes_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> responder_;
  bool answered_ = false;
};

void Serve(grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<Call*>(tag)->Happen(ok);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: echo_server ADDRESS [THREADS]\n";
    return 2;
  }
  const int num_threads = argc > 2 ? std::atoi(argv[2]) : 1;
  octet::SetLibraryDefaults(static_cast<std::size_t>(num_threads) + 1);
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(-1);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::cerr << "cannot listen on " << argv[1] << "\n";
    return 1;
  }
  for (int i = 0; i < 256; ++i) new Call(service, *queue);
  std::vector<std::thread> threads;
  for (int i = 0; i < num_threads; ++i) threads.emplace_back([&] { Serve(*queue); });
  std::cout << "ready " << port << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  server->Shutdown(std::chrono::system_clock::now());
  queue->Shutdown();
  for (std::thread& thread : threads) thread.join();
  return 0;
}
