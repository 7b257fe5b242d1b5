// SPDX-License-Identifier: Apache-2.0
// The whole server over a socket, with stubs that the protocol's compiler made.

#include "server/frontends/grpc/grpc_server.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"

#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "proto/grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "proto/inference/open_inference_grpc.grpc.pb.h"
#include "tests/server/frontends/grpc/served_grpc.h"

namespace octet {
namespace {

using grpc::StatusCode;
using inference::GRPCInferenceService;
using ::testing::HasSubstr;

std::size_t CountThreads() {
  std::size_t threads = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task")) {
    ++threads;
  }
  return threads;
}

using testing::Connect;
using testing::RequestOf;
using GrpcServerTest = testing::ServedGrpc;

TEST_F(GrpcServerTest, InfersRawAndTypedTensorsAlike) {
  const Tensor images = testing::SmallImages(3);
  inference::ModelInferRequest request = RequestOf(images);
  request.set_id("seven");
  (*request.mutable_parameters())["octet_timing"].set_bool_param(true);
  inference::ModelInferResponse raw;
  grpc::Status status = Infer(request, &raw);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(raw.model_name(), "net");
  EXPECT_EQ(raw.model_version(), "1");
  EXPECT_EQ(raw.id(), "seven");
  ASSERT_EQ(raw.raw_output_contents_size(), 1);
  EXPECT_EQ(raw.raw_output_contents(0).size(), 3 * 10 * sizeof(float));
  EXPECT_EQ(raw.outputs(0).name(), "probabilities");
  EXPECT_THAT(raw.outputs(0).shape(), ::testing::ElementsAre(3, 10));
  EXPECT_EQ(raw.parameters().at("octet_precision").string_param(), "fp32");
  EXPECT_EQ(raw.parameters().at("octet_kernel_set").string_param(), "reference");

  request.clear_raw_input_contents();
  for (const float value : images.as<float>()) {
    request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(value);
  }
  inference::ModelInferResponse typed;
  status = Infer(request, &typed);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(typed.raw_output_contents(0), raw.raw_output_contents(0));
}

TEST_F(GrpcServerTest, LargeRequestAndAnswer) {
  const Tensor images = testing::SmallImages(3000);  // 768 KB in, 120 KB out
  inference::ModelInferResponse response;
  const grpc::Status status = Infer(RequestOf(images), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.raw_output_contents(0).size(), 3000 * 10 * sizeof(float));
}

TEST_F(GrpcServerTest, ConcurrentRequestsGetTheirOwnRows) {
  inference::ModelInferResponse all;
  const Tensor images = testing::SmallImages(16);
  ASSERT_TRUE(Infer(RequestOf(images), &all).ok());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> clients;
  for (std::size_t row = 0; row < 16; ++row) {
    clients.emplace_back([&, row] {
      Tensor image(DataType::kFloat32, {1, 8, 8, 1});
      std::copy_n(images.as<float>().begin() + static_cast<std::ptrdiff_t>(row * 64), 64,
                  image.as<float>().begin());
      for (int i = 0; i < 20; ++i) {
        inference::ModelInferResponse one;
        const bool is_right =
            Infer(RequestOf(image), &one).ok() &&
            one.raw_output_contents(0) == all.raw_output_contents(0).substr(row * 40, 40);
        if (!is_right) ++wrong;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(GrpcServerTest, RefusalsHaveTheirCodes) {
  inference::ModelInferResponse response;
  inference::ModelInferRequest request = RequestOf(testing::SmallImages(1));
  request.set_model_name("nothing");
  EXPECT_EQ(Infer(request, &response).error_code(), StatusCode::NOT_FOUND);
  request.set_model_name("broken");
  EXPECT_EQ(Infer(request, &response).error_code(), StatusCode::UNAVAILABLE);
  request = RequestOf(testing::SmallImages(1));
  request.set_model_version("x");
  EXPECT_EQ(Infer(request, &response).error_code(), StatusCode::INVALID_ARGUMENT);
  request = RequestOf(testing::SmallImages(1));
  request.mutable_raw_input_contents(0)->pop_back();
  const grpc::Status status = Infer(request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("got 255 bytes"));
  request.mutable_raw_input_contents(0)->resize(2 << 20);
  EXPECT_EQ(Infer(request, &response).error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GrpcServerTest, PassedDeadlineIsNotComputed) {
  inference::ModelInferRequest request = RequestOf(testing::SmallImages(3000));
  (*request.mutable_parameters())["timeout"].set_int64_param(1);
  inference::ModelInferResponse response;
  EXPECT_EQ(Infer(request, &response).error_code(), StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(GrpcServerTest, BytesThatAreNoRequest) {
  grpc::GenericStub generic(channel_);
  grpc::ClientContext context;
  const grpc::Slice slice("\xff\xff\xff");
  const grpc::ByteBuffer bytes(&slice, 1);
  grpc::CompletionQueue queue;
  const auto call = generic.PrepareUnaryCall(&context, "/inference.GRPCInferenceService/ModelInfer",
                                             bytes, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << status.error_message();
}

TEST_F(GrpcServerTest, Metadata) {
  grpc::ClientContext contexts[6];
  inference::ServerMetadataResponse server;
  ASSERT_TRUE(stub_->ServerMetadata(&contexts[0], {}, &server).ok());
  EXPECT_EQ(server.name(), "octet");
  EXPECT_THAT(server.extensions(), ::testing::Contains("statistics"));

  inference::ModelMetadataRequest metadata_request;
  metadata_request.set_name("net");
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(stub_->ModelMetadata(&contexts[1], metadata_request, &metadata).ok());
  EXPECT_THAT(metadata.versions(), ::testing::ElementsAre("1"));
  EXPECT_EQ(metadata.inputs(0).datatype(), "FP32");
  EXPECT_THAT(metadata.inputs(0).shape(), ::testing::ElementsAre(-1, 8, 8, 1));

  inference::ModelConfigRequest config_request;
  config_request.set_name("net");
  inference::ModelConfigResponse config;
  ASSERT_TRUE(stub_->ModelConfig(&contexts[2], config_request, &config).ok());
  EXPECT_GT(config.config().max_batch_size(), 0);
  EXPECT_EQ(config.config().input(0).data_type(), inference::TYPE_FP32);
  EXPECT_THAT(config.config().input(0).dims(), ::testing::ElementsAre(8, 8, 1));

  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(stub_->RepositoryIndex(&contexts[3], {}, &index).ok());
  ASSERT_EQ(index.models_size(), 2);
  EXPECT_EQ(index.models(0).name(), "broken");
  EXPECT_EQ(index.models(0).state(), "UNAVAILABLE");
  EXPECT_FALSE(index.models(0).reason().empty());
  EXPECT_EQ(index.models(1).state(), "READY");

  inference::ModelReadyRequest ready_request;
  ready_request.set_name("broken");
  inference::ModelReadyResponse ready;
  ASSERT_TRUE(stub_->ModelReady(&contexts[4], ready_request, &ready).ok());
  EXPECT_FALSE(ready.ready());
  ready_request.set_name("nothing");
  EXPECT_EQ(stub_->ModelReady(&contexts[5], ready_request, &ready).error_code(),
            StatusCode::NOT_FOUND);
}

TEST_F(GrpcServerTest, StatisticsCountWhatWasServed) {
  inference::ModelInferResponse response;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Infer(RequestOf(testing::SmallImages(2)), &response).ok());
  }
  inference::ModelInferRequest bad = RequestOf(testing::SmallImages(1));
  bad.clear_raw_input_contents();
  EXPECT_FALSE(Infer(bad, &response).ok());
  // An answer may be here before it is counted.
  inference::ModelStatisticsResponse statistics;
  for (int i = 0; i < 1000; ++i) {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->ModelStatistics(&context, {}, &statistics).ok());
    ASSERT_EQ(statistics.model_stats_size(), 1);
    // Workers count for themselves: the last to answer need not be the last to count.
    const inference::InferStatistics& stats = statistics.model_stats(0).inference_stats();
    if (stats.fail().count() == 1 && stats.success().count() == 5) break;
    std::this_thread::yield();
  }
  const inference::ModelStatistics& net = statistics.model_stats(0);
  EXPECT_EQ(net.name(), "net");
  EXPECT_EQ(net.inference_count(), 10U);
  EXPECT_EQ(net.inference_stats().success().count(), 5U);
  EXPECT_EQ(net.inference_stats().fail().count(), 1U);
  EXPECT_GT(net.inference_stats().compute_infer().ns(), 0U);
}

TEST_F(GrpcServerTest, LackingAndUnknownMethodsSaySo) {
  grpc::ClientContext contexts[2];
  inference::RepositoryModelLoadResponse load;
  const grpc::Status status = stub_->RepositoryModelLoad(&contexts[0], {}, &load);
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("loaded at start"));
  inference::SystemSharedMemoryStatusResponse regions;
  EXPECT_EQ(stub_->SystemSharedMemoryStatus(&contexts[1], {}, &regions).error_code(),
            StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, HealthIsCheckedAndWatched) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::health::v1::HealthCheckResponse response;
  grpc::ClientContext contexts[3];
  ASSERT_TRUE(health->Check(&contexts[0], {}, &response).ok());
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  grpc::health::v1::HealthCheckRequest unknown;
  unknown.set_service("nothing");
  EXPECT_EQ(health->Check(&contexts[1], unknown, &response).error_code(), StatusCode::NOT_FOUND);

  const auto watch = health->Watch(&contexts[2], {});
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  SetState(ServerState::kDraining);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  Shutdown();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(GrpcServerTest, ReflectionFindsEveryFile) {
  using grpc::reflection::v1alpha::ServerReflectionRequest;
  const auto stub = grpc::reflection::v1alpha::ServerReflection::NewStub(channel_);
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  ServerReflectionRequest request;
  grpc::reflection::v1alpha::ServerReflectionResponse response;
  request.set_list_services("*");
  ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
  ASSERT_EQ(response.list_services_response().service_size(), 3);
  for (const auto& service : response.list_services_response().service()) {
    request.set_file_containing_symbol(service.name());
    grpc::reflection::v1alpha::ServerReflectionResponse file;
    ASSERT_TRUE(stream->Write(request) && stream->Read(&file));
    ASSERT_GT(file.file_descriptor_response().file_descriptor_proto_size(), 0) << service.name();
    // Without JSON's names of fields, grpcurl shows others than with the proto file.
    google::protobuf::FileDescriptorProto proto;
    ASSERT_TRUE(proto.ParseFromString(file.file_descriptor_response().file_descriptor_proto(0)));
    EXPECT_TRUE(proto.message_type(0).field_size() == 0 ||
                !proto.message_type(0).field(0).json_name().empty());
  }
  request.set_file_by_filename("nothing.proto");
  ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
  EXPECT_EQ(response.error_response().error_code(), static_cast<int>(StatusCode::NOT_FOUND));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcServerTest, OpenStreamsStartNoThread) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  const auto reflection = grpc::reflection::v1alpha::ServerReflection::NewStub(channel_);
  inference::ModelInferResponse warm_up;
  ASSERT_TRUE(Infer(RequestOf(testing::SmallImages(1)), &warm_up).ok());
  const std::size_t threads = CountThreads();
  constexpr std::size_t kStreams = 400;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<grpc::health::v1::HealthCheckResponse>>> watches;
  std::vector<std::unique_ptr<
      grpc::ClientReaderWriter<grpc::reflection::v1alpha::ServerReflectionRequest,
                               grpc::reflection::v1alpha::ServerReflectionResponse>>>
      reflections;
  for (std::size_t i = 0; i < kStreams; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    watches.push_back(health->Watch(contexts.back().get(), {}));
    grpc::health::v1::HealthCheckResponse state;
    ASSERT_TRUE(watches.back()->Read(&state));
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    reflections.push_back(reflection->ServerReflectionInfo(contexts.back().get()));
    grpc::reflection::v1alpha::ServerReflectionRequest request;
    request.set_list_services("");
    grpc::reflection::v1alpha::ServerReflectionResponse response;
    ASSERT_TRUE(reflections.back()->Write(request) && reflections.back()->Read(&response));
  }
  // gRPC's own timer may start one or two on a busy machine; none of them belongs to a stream.
  EXPECT_LE(CountThreads(), threads + 4);
  for (const auto& context : contexts) context->TryCancel();
}

class SmallQueueTest : public GrpcServerTest {
 protected:
  static constexpr std::size_t kRoom = 2;
  SmallQueueTest() : GrpcServerTest({.requests = kRoom}) {}
};

TEST_F(SmallQueueTest, RequestsBeyondItsRoomAreRefusedAtOnce) {
  models_.scheduler.HoldArrivals(std::chrono::steady_clock::now() + std::chrono::seconds(1));
  std::atomic<std::size_t> answered = 0;
  std::atomic<std::size_t> refused = 0;
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < kRoom + 3; ++i) {
    clients.emplace_back([&] {
      inference::ModelInferResponse response;
      const grpc::Status status = Infer(RequestOf(testing::SmallImages(1)), &response);
      if (status.ok()) {
        ++answered;
      } else {
        EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
        EXPECT_THAT(status.error_message(), HasSubstr("the queue is full"));
        ++refused;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, kRoom);
  EXPECT_EQ(refused, 3U);
}

TEST_F(GrpcServerTest, NoModelIsReadyOnceItDrains) {
  inference::ModelReadyRequest request;
  request.set_name("net");
  inference::ModelReadyResponse response;
  grpc::ClientContext before;
  ASSERT_TRUE(stub_->ModelReady(&before, request, &response).ok());
  EXPECT_TRUE(response.ready());
  SetState(ServerState::kDraining);
  grpc::ClientContext after;
  ASSERT_TRUE(stub_->ModelReady(&after, request, &response).ok());
  EXPECT_FALSE(response.ready());
}

TEST_F(GrpcServerTest, CallWithoutItsMessageDelaysNoShutdown) {
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto call =
      stub.PrepareCall(&context, "/inference.GRPCInferenceService/ServerLive", &queue);
  call->StartCall(nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  // Longer than the server gives a message to follow its call.
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  const auto start = std::chrono::steady_clock::now();
  Shutdown();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  grpc::Status status;
  call->Finish(&status, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

TEST_F(GrpcServerTest, UploadThatIsNotWholeIsRefusedAtOnce) {
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto call =
      stub.PrepareCall(&context, "/inference.GRPCInferenceService/ModelInfer", &queue);
  call->StartCall(nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  // A call on the same connection that is answered: the server has seen the one before it, too.
  inference::ModelInferResponse response;
  ASSERT_TRUE(Infer(RequestOf(testing::SmallImages(1)), &response).ok());
  const auto start = std::chrono::steady_clock::now();
  Shutdown();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
  grpc::Status status;
  call->Finish(&status, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << status.error_message();
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

TEST_F(GrpcServerTest, AnswerThatTheCallerReadsLateIsNotCutOff) {
  grpc::ChannelArguments arguments;  // take in little before it is asked for
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16 << 10);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  grpc::GenericStub stub(
      grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), arguments));
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const std::string bytes = RequestOf(testing::SmallImages(3000)).SerializeAsString();
  const grpc::Slice slice(bytes);
  const auto call =
      stub.PrepareCall(&context, "/inference.GRPCInferenceService/ModelInfer", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  // An upload beside it, which alone would end at once.
  grpc::ClientContext upload_context;
  const auto upload =
      stub.PrepareCall(&upload_context, "/inference.GRPCInferenceService/ModelInfer", &queue);
  upload->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  inference::ModelStatisticsResponse statistics;
  do {
    grpc::ClientContext statistics_context;
    ASSERT_TRUE(stub_->ModelStatistics(&statistics_context, {}, &statistics).ok());
  } while (statistics.model_stats(0).inference_stats().success().count() == 0);
  std::thread shutdown([this] { Shutdown(); });
  // Most of the answer still waits in the server. An upload alone would be over by the end of this.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(ok);
  EXPECT_GT(answer.Length(), 3000 * 10 * sizeof(float));
  shutdown.join();
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

TEST_F(GrpcServerTest, ShutdownUnderLoadLosesNothing) {
  std::atomic<bool> draining = false;
  std::atomic<int> lost = 0;
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  const inference::ModelInferRequest request = RequestOf(testing::SmallImages(1));
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      const auto channel = Connect(server_->address());
      const auto stub = GRPCInferenceService::NewStub(channel);
      while (true) {
        const bool before = !draining;
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
        inference::ModelInferResponse response;
        const grpc::Status status = stub->ModelInfer(&context, request, &response);
        if (status.ok()) {
          ++answered;
          continue;
        }
        // Sent before the drain delay ended: it has to be answered.
        if (before && !draining) ++lost;
        EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << status.error_message();
        return;
      }
    });
  }
  while (answered < 200) std::this_thread::yield();
  SetState(ServerState::kDraining);
  draining = true;
  const std::string address = server_->address();
  server_->Shutdown(std::chrono::steady_clock::now() + std::chrono::seconds(20));
  for (std::thread& client : clients) client.join();
  models_.scheduler.Join();
  server_.reset();
  EXPECT_EQ(lost, 0);
}

TEST(GrpcServerAddressTest, AddressThatIsTakenIsAnError) {
  testing::ServedModels models;
  GrpcServer::Options options;
  options.address = "127.0.0.1:0";
  auto first = GrpcServer::Create(options, models.service, models.repository);
  ASSERT_TRUE(first.ok()) << first.status();
  options.address = (*first)->address();
  const auto second = GrpcServer::Create(options, models.service, models.repository);
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(options.address));
}

TEST(GrpcServerAddressTest, UnixSocketIsTakenFromNobodyAliveOnly) {
  const testing::TemporaryDirectory folder;
  testing::ServedModels models;
  GrpcServer::Options options;
  options.address = "unix:" + (folder / "octet.sock");
  {
    const auto first = GrpcServer::Create(options, models.service, models.repository);
    ASSERT_TRUE(first.ok()) << first.status();
    const auto second = GrpcServer::Create(options, models.service, models.repository);
    EXPECT_TRUE(absl::IsUnavailable(second.status()));
  }
  // What a killed server leaves behind.
  const int left = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (folder / "octet.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
  unlink(address.sun_path);
  ASSERT_EQ(bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  close(left);
  testing::ServedModels others;
  const auto third = GrpcServer::Create(options, others.service, others.repository);
  EXPECT_TRUE(third.ok()) << third.status();
}

}  // namespace
}  // namespace octet
