// SPDX-License-Identifier: Apache-2.0
// ModelStreamInfer over a socket, with stubs that the protocol's compiler made.

#include "server/frontends/grpc/inference_stream.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/server/frontends/grpc/served_grpc.h"

namespace octet {
namespace {

using grpc::StatusCode;
using inference::ModelInferRequest;
using inference::ModelStreamInferResponse;
using ::testing::HasSubstr;
using testing::RequestOf;
using Stream = grpc::ClientReaderWriter<ModelInferRequest, ModelStreamInferResponse>;

ModelInferRequest OneImage(const std::string& id) {
  ModelInferRequest request = RequestOf(testing::SmallImages(1));
  request.set_id(id);
  return request;
}

class InferenceStreamTest : public testing::ServedGrpc {
 protected:
  explicit InferenceStreamTest(RequestQueue::Limits queue = {}) : ServedGrpc(queue) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }

  // Waits until nothing is inside the server.
  bool BecomesEmpty() {
    for (int i = 0; i < 2000 && models_.service.requests_in_flight() > 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return models_.service.requests_in_flight() == 0;
  }

  grpc::ClientContext context_;
};

TEST_F(InferenceStreamTest, AnswersEachRequestAsModelInferDoes) {
  ModelInferRequest request = OneImage("seven");
  inference::ModelInferResponse alone;
  ASSERT_TRUE(Infer(request, &alone).ok());
  const auto stream = stub_->ModelStreamInfer(&context_);
  for (int i = 0; i < 3; ++i) {
    ModelStreamInferResponse answer;
    ASSERT_TRUE(stream->Write(request) && stream->Read(&answer));
    EXPECT_EQ(answer.error_message(), "");
    EXPECT_EQ(answer.infer_response().id(), "seven");
    EXPECT_EQ(answer.infer_response().model_version(), "1");
    EXPECT_EQ(answer.infer_response().raw_output_contents(0), alone.raw_output_contents(0));
    EXPECT_TRUE(answer.infer_response().parameters().at("triton_final_response").bool_param());
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferenceStreamTest, LargeAnswersAreWhole) {
  const auto stream = stub_->ModelStreamInfer(&context_);
  ModelStreamInferResponse answer;
  ASSERT_TRUE(stream->Write(RequestOf(testing::SmallImages(3000))) && stream->Read(&answer));
  EXPECT_EQ(answer.infer_response().raw_output_contents(0).size(), 3000 * 10 * sizeof(float));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferenceStreamTest, ThousandRequestsAreAnsweredOnceEachInTheirOrder) {
  constexpr int kRequests = 1000;
  const auto stream = stub_->ModelStreamInfer(&context_);
  std::thread writer([&stream] {
    ModelInferRequest request = OneImage("");
    for (int i = 0; i < kRequests; ++i) {
      request.set_id(std::to_string(i));
      if (!stream->Write(request)) return;
    }
    stream->WritesDone();
  });
  ModelStreamInferResponse answer;
  int answers = 0;
  for (; stream->Read(&answer); ++answers) {
    EXPECT_EQ(answer.error_message(), "");
    EXPECT_EQ(answer.infer_response().id(), std::to_string(answers));
  }
  writer.join();
  EXPECT_EQ(answers, kRequests);
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(models_.service.requests_in_flight(), 0);
}

TEST_F(InferenceStreamTest, AnErrorIsThatOfItsRequestOnly) {
  const auto stream = stub_->ModelStreamInfer(&context_);
  ModelInferRequest unknown = OneImage("a");
  unknown.set_model_name("nothing");
  ModelInferRequest short_of_bytes = OneImage("b");
  short_of_bytes.mutable_raw_input_contents(0)->pop_back();
  ModelInferRequest unreadable = OneImage("c");
  (*unreadable.mutable_parameters())["timeout"].set_string_param("1");
  ModelInferRequest expired = OneImage("d");
  (*expired.mutable_parameters())["timeout"].set_int64_param(1);
  for (const auto& request : {unknown, short_of_bytes, unreadable, expired, OneImage("e")}) {
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  const std::vector<std::vector<std::string>> wanted = {{"a", "NOT_FOUND", "nothing"},
                                                        {"b", "INVALID_ARGUMENT", "got 255 bytes"},
                                                        {"c", "INVALID_ARGUMENT", "timeout"},
                                                        {"d", "DEADLINE_EXCEEDED", "deadline"}};
  ModelStreamInferResponse answer;
  for (const std::vector<std::string>& error : wanted) {
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.infer_response().id(), error[0]);
    EXPECT_EQ(answer.infer_response().parameters().at("octet_error_code").string_param(), error[1]);
    EXPECT_THAT(answer.error_message(), HasSubstr(error[2]));
  }
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.error_message(), "");
  EXPECT_EQ(answer.infer_response().id(), "e");
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferenceStreamTest, TheFirstErrorEndsItWhereItsHeaderSaysSo) {
  context_.AddMetadata("triton_grpc_error", "true");
  const auto stream = stub_->ModelStreamInfer(&context_);
  ModelInferRequest unknown = OneImage("b");
  unknown.set_model_name("nothing");
  for (const auto& request : {OneImage("a"), unknown}) ASSERT_TRUE(stream->Write(request));
  ModelStreamInferResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.infer_response().id(), "a");
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::NOT_FOUND);
}

TEST_F(InferenceStreamTest, HalfCloseBeforeAnyRequestEndsIt) {
  const auto stream = stub_->ModelStreamInfer(&context_);
  stream->WritesDone();
  ModelStreamInferResponse answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferenceStreamTest, TooLargeARequestEndsItWithItsCode) {
  const auto stream = stub_->ModelStreamInfer(&context_);
  ModelInferRequest request = OneImage("a");
  request.mutable_raw_input_contents(0)->resize(2 << 20);
  stream->Write(request);
  ModelStreamInferResponse answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(InferenceStreamTest, WhoDoesNotReadIsNotReadFrom) {
  constexpr int kRequests = 4000;
  grpc::ChannelArguments arguments;  // take in little before it is asked for
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16 << 10);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto stub = inference::GRPCInferenceService::NewStub(
      grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), arguments));
  const auto stream = stub->ModelStreamInfer(&context_);
  // 16 KB that are refused, so that nothing is computed. The server's bound and the transport's
  // buffers hold a part of them.
  ModelInferRequest request = RequestOf(testing::SmallImages(64));
  request.mutable_raw_input_contents(0)->pop_back();
  std::atomic<int> written = 0;
  std::thread writer([&] {
    while (written < kRequests && stream->Write(request)) ++written;
    stream->WritesDone();
  });
  // Until it makes no progress any more.
  int before = -1;
  while (before != written || before == 0) {
    before = written;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  EXPECT_LT(before, kRequests);
  ModelStreamInferResponse answer;
  int answers = 0;
  for (; stream->Read(&answer); ++answers) {
    EXPECT_THAT(answer.error_message(), HasSubstr("got 16383 bytes"));
  }
  writer.join();
  EXPECT_EQ(answers, kRequests);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferenceStreamTest, CancelledAtAnyTimeItLeavesNothingBehind) {
  for (int round = 0; round < 60; ++round) {
    grpc::ClientContext context;
    const auto cancelled = stub_->ModelStreamInfer(&context);
    grpc::ClientContext other_context;
    const auto other = stub_->ModelStreamInfer(&other_context);
    const int num_requests = round % 20;
    for (int i = 0; i < num_requests; ++i) {
      cancelled->Write(RequestOf(testing::SmallImages(50)));
      ASSERT_TRUE(other->Write(OneImage(std::to_string(i))));
    }
    ModelStreamInferResponse answer;
    for (int i = 0; i < num_requests && i < round % 4; ++i) cancelled->Read(&answer);
    std::this_thread::sleep_for(std::chrono::microseconds(round % 7 * 300));
    context.TryCancel();
    EXPECT_EQ(cancelled->Finish().error_code(), StatusCode::CANCELLED);
    other->WritesDone();
    for (int i = 0; i < num_requests; ++i) {
      ASSERT_TRUE(other->Read(&answer));
      EXPECT_EQ(answer.infer_response().id(), std::to_string(i));
    }
    EXPECT_TRUE(other->Finish().ok());
  }
  EXPECT_TRUE(BecomesEmpty());
}

TEST_F(InferenceStreamTest, ShutdownAnswersWhatWasReadAndEndsTheStream) {
  models_.scheduler.HoldArrivals(std::chrono::steady_clock::now() + std::chrono::seconds(1));
  const auto stream = stub_->ModelStreamInfer(&context_);
  constexpr int kRequests = 20;
  for (int i = 0; i < kRequests; ++i) ASSERT_TRUE(stream->Write(OneImage(std::to_string(i))));
  while (models_.service.requests_in_flight() < kRequests) std::this_thread::yield();
  grpc::ClientContext idle_context;
  const auto idle = stub_->ModelStreamInfer(&idle_context);
  std::thread shutdown([this] { Shutdown(); });
  ModelStreamInferResponse answer;
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_TRUE(stream->Read(&answer)) << i;
    EXPECT_EQ(answer.error_message(), "");
    EXPECT_EQ(answer.infer_response().id(), std::to_string(i));
  }
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(idle->Finish().error_code(), StatusCode::UNAVAILABLE);
  shutdown.join();
}

class SmallQueueStreamTest : public InferenceStreamTest {
 protected:
  SmallQueueStreamTest() : InferenceStreamTest({.requests = 2}) {}
};

TEST_F(SmallQueueStreamTest, AFullQueueIsAnAnswerToo) {
  models_.scheduler.HoldArrivals(std::chrono::steady_clock::now() + std::chrono::seconds(1));
  const auto stream = stub_->ModelStreamInfer(&context_);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(stream->Write(OneImage(std::to_string(i))));
  stream->WritesDone();
  ModelStreamInferResponse answer;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.infer_response().id(), std::to_string(i));
    if (i < 2) {
      EXPECT_EQ(answer.error_message(), "");
    } else {
      EXPECT_THAT(answer.error_message(), HasSubstr("the queue is full"));
    }
  }
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace octet
