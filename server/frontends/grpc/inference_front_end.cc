// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/inference_front_end.h"

#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/async_unary_call.h"
#include "grpcpp/support/byte_buffer.h"

#include "server/access/own_machine.h"
#include "server/frontends/grpc/grpc_caller.h"
#include "server/frontends/grpc/inference_message.h"
#include "server/frontends/grpc/request_origin.h"
#include "server/frontends/grpc/status_codec.h"

namespace octet {

// Deletes itself after its last event.
class InferenceFrontEnd::Call final : public QueueEvent {
 public:
  Call(InferenceFrontEnd& front_end, DrainGate::Pass alive)
      : front_end_(front_end), alive_(std::move(alive)), responder_(&context_), done_(*this) {
    ++front_end_.num_calls_;
    context_.AsyncNotifyWhenDone(&done_);
    front_end_.grpc_service_.RequestModelInfer(&context_, &bytes_, &responder_,
                                               front_end_.context_.queue, front_end_.context_.queue,
                                               Tag());
  }

  void Happen(bool ok, std::size_t worker) override {
    if (was_read_) {  // the answer has left, or never will
      Ended();
      return;
    }
    if (!ok) {  // the server shuts down; `done_` never comes
      delete this;
      return;
    }
    was_read_ = true;
    front_end_.Expect(1);
    Read(worker);
  }

 private:
  class Done final : public QueueEvent {
   public:
    explicit Done(Call& call) : call_(call) {}
    void Happen(bool /*ok*/, std::size_t /*worker*/) override { call_.Ended(); }

   private:
    Call& call_;
  };

  class CallCompletion final : public Completion {
   public:
    explicit CallCompletion(Call& call) : call_(call) {}
    [[nodiscard]] bool IsCancelled() const override { return call_.context_.IsCancelled(); }
    void Complete(absl::StatusOr<InferenceAnswer> answer) override {
      call_.Finish(std::move(answer));
    }

   private:
    Call& call_;
  };

  ~Call() { --front_end_.num_calls_; }

  void* Tag() { return static_cast<QueueEvent*>(this); }

  void Read(std::size_t worker) {
    auto request = std::make_unique<InferenceRequest>();
    request->completion = std::make_unique<CallCompletion>(*this);
    absl::Status status = front_end_.context_.access.Authorize(
        ListenerKind::kGrpc, Operation::kInfer, "ModelInfer", GrpcCaller(context_));
    if (status.ok()) {
      status = ReadRequest(bytes_, context_.raw_deadline(), front_end_.max_tensor_bytes_, message_,
                           *request);
    }
    ObserveRequest(front_end_.service_, context_, message_.form.id, "ModelInfer", *request);
    if (status.ok()) {
      if (NamesSharedMemory(*request)) request->is_of_own_machine = IsOwnMachine(context_.peer());
      front_end_.service_.Infer(worker, std::move(request));
    } else {
      front_end_.service_.Reject(worker, std::move(request), std::move(status));
    }
  }

  // On any worker's thread. `Ended` may delete this as soon as gRPC has the answer.
  void Finish(absl::StatusOr<InferenceAnswer> answer) {
    if (!answer.ok()) return Fail(answer.status());
    absl::StatusOr<EncodedAnswer> encoded = EncodeAnswer(*answer, message_.form, kMostTypedBytes);
    if (!encoded.ok()) return Fail(encoded.status());
    responder_.Finish(ToByteBuffer(*answer, *std::move(encoded)), grpc::Status::OK, Tag());
  }

  void Fail(const absl::Status& error) { responder_.FinishWithError(ToGrpc(error), Tag()); }

  void Ended() {
    if (--events_left_ == 0) delete this;
  }

  InferenceFrontEnd& front_end_;
  const DrainGate::Pass alive_;
  grpc::ServerContext context_;
  grpc::ByteBuffer bytes_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> responder_;
  Done done_;
  bool was_read_ = false;
  int events_left_ = 2;  // of a call that was read: done, and finished

  RequestMessage message_;
};

InferenceFrontEnd::InferenceFrontEnd(CallContext& context, InferenceService& service,
                                     InferenceGrpcService& grpc_service,
                                     std::size_t max_tensor_bytes)
    : context_(context),
      service_(service),
      grpc_service_(grpc_service),
      max_tensor_bytes_(max_tensor_bytes) {}

void InferenceFrontEnd::Expect(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<DrainGate::Pass> alive = context_.alive.Enter();
    if (!alive) return;
    new Call(*this, *std::move(alive));  // deletes itself
  }
}

}  // namespace octet
