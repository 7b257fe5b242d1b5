// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/inference_front_end.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/async_unary_call.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"

#include "server/frontends/grpc/status_codec.h"
#include "server/frontends/grpc/tensor_codec.h"

namespace octet {
namespace {

using std::chrono::steady_clock;
using Rpc = inference::GRPCInferenceService;

// Each of these takes a method away from the generated service's synchronous side.
template <typename Base>
using HealthToGeneric = Rpc::WithGenericMethod_ServerLive<
    Rpc::WithGenericMethod_ServerReady<Rpc::WithGenericMethod_ModelReady<Base>>>;
template <typename Base>
using MetadataToGeneric = Rpc::WithGenericMethod_ServerMetadata<
    Rpc::WithGenericMethod_ModelMetadata<Rpc::WithGenericMethod_ModelConfig<
        Rpc::WithGenericMethod_ModelStatistics<Rpc::WithGenericMethod_RepositoryIndex<Base>>>>>;
template <typename Base>
using SharedMemoryToGeneric = Rpc::WithGenericMethod_SystemSharedMemoryStatus<
    Rpc::WithGenericMethod_SystemSharedMemoryRegister<
        Rpc::WithGenericMethod_SystemSharedMemoryUnregister<
            Rpc::WithGenericMethod_CudaSharedMemoryStatus<
                Rpc::WithGenericMethod_CudaSharedMemoryRegister<
                    Rpc::WithGenericMethod_CudaSharedMemoryUnregister<Base>>>>>>;
template <typename Base>
using OthersToGeneric = Rpc::WithGenericMethod_ModelStreamInfer<
    Rpc::WithGenericMethod_RepositoryModelLoad<Rpc::WithGenericMethod_RepositoryModelUnload<
        Rpc::WithGenericMethod_TraceSetting<Rpc::WithGenericMethod_LogSettings<Base>>>>>;

// Up to here an answer's tensors are copied behind their header: less work than a slice of their
// own, which is counted and sent separately.
constexpr std::size_t kMostCopiedBytes = 16 << 10;

TimePoint ToSteady(gpr_timespec deadline) {
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return kNever;
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  // More than a day is as good as none, and cannot overflow.
  if (left.tv_sec > 86400) return kNever;
  return steady_clock::now() + std::chrono::seconds(left.tv_sec) +
         std::chrono::nanoseconds(left.tv_nsec);
}

void Release(void* owner) { delete static_cast<std::shared_ptr<const void>*>(owner); }

grpc::ByteBuffer ToByteBuffer(const InferenceAnswer& answer, EncodedAnswer encoded) {
  std::size_t size = 0;
  for (const AnswerOutput& output : answer.outputs) size += output.data.size();
  if (size <= kMostCopiedBytes) {
    std::string& whole = encoded.headers.front();
    for (std::size_t i = 0; i < answer.outputs.size(); ++i) {
      if (i > 0) whole += encoded.headers[i];
      const absl::string_view data = AsText(answer.outputs[i].data);
      whole.append(data.data(), data.size());
    }
    const grpc::Slice slice(whole);
    return grpc::ByteBuffer(&slice, 1);
  }
  std::vector<grpc::Slice> slices;
  for (std::size_t i = 0; i < encoded.headers.size(); ++i) {
    slices.emplace_back(encoded.headers[i]);
    if (i >= answer.outputs.size()) continue;
    const Bytes data = answer.outputs[i].data;
    if (data.empty()) continue;
    // gRPC's slices are not const; nothing writes to them.
    slices.emplace_back(const_cast<std::byte*>(data.data()), data.size(), Release,
                        new std::shared_ptr<const void>(answer.owner));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace

class InferenceGrpcService final
    : public Rpc::WithRawMethod_ModelInfer<HealthToGeneric<
          MetadataToGeneric<SharedMemoryToGeneric<OthersToGeneric<Rpc::Service>>>>> {};

// Deletes itself after its last event.
class InferenceFrontEnd::Call final : public QueueEvent {
 public:
  Call(InferenceFrontEnd& front_end, DrainGate::Pass alive)
      : front_end_(front_end), alive_(std::move(alive)), responder_(&context_), done_(*this) {
    ++front_end_.num_calls_;
    context_.AsyncNotifyWhenDone(&done_);
    front_end_.grpc_service_->RequestModelInfer(&context_, &bytes_, &responder_,
                                                front_end_.context_.queue,
                                                front_end_.context_.queue, Tag());
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
    request->arrival = steady_clock::now();
    request->deadline = ToSteady(context_.raw_deadline());
    request->completion = std::make_unique<CallCompletion>(*this);
    absl::Status status = Decode(*request);
    if (status.ok()) {
      front_end_.service_.Infer(worker, std::move(request));
    } else {
      front_end_.service_.Reject(worker, std::move(request), std::move(status));
    }
  }

  absl::Status Decode(InferenceRequest& request) {
    if (!bytes_.Dump(&slices_).ok()) {
      return absl::InvalidArgumentError("the request's bytes could not be read");
    }
    std::vector<Bytes> chunks;
    chunks.reserve(slices_.size());
    for (const grpc::Slice& slice : slices_) {
      chunks.emplace_back(reinterpret_cast<const std::byte*>(slice.begin()), slice.size());
    }
    absl::StatusOr<DecodedRequest> decoded = DecodeRequest(chunks, front_end_.max_tensor_bytes_);
    if (!decoded.ok()) return std::move(decoded).status();
    request.model_name = std::move(decoded->model_name);
    request.model_version = std::move(decoded->model_version);
    request.inputs = std::move(decoded->inputs);
    request.outputs = std::move(decoded->outputs);
    if (decoded->timeout_microseconds) {
      const std::chrono::microseconds timeout(*decoded->timeout_microseconds);
      if (timeout < std::chrono::hours(24)) {
        request.deadline = std::min(request.deadline, request.arrival + timeout);
      }
    }
    id_ = std::move(decoded->id);
    wants_timing_ = decoded->wants_timing;
    buffers_ = std::move(decoded->buffers);
    return absl::OkStatus();
  }

  // On any worker's thread. `Ended` may delete this as soon as gRPC has the answer.
  void Finish(absl::StatusOr<InferenceAnswer> answer) {
    if (answer.ok()) {
      responder_.Finish(ToByteBuffer(*answer, EncodeAnswer(*answer, id_, wants_timing_)),
                        grpc::Status::OK, Tag());
    } else {
      responder_.FinishWithError(ToGrpc(answer.status()), Tag());
    }
  }

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

  std::vector<grpc::Slice> slices_;  // keep the request's bytes
  std::deque<std::unique_ptr<std::byte[]>> buffers_;
  std::string id_;
  bool wants_timing_ = false;
};

InferenceFrontEnd::InferenceFrontEnd(CallContext& context, InferenceService& service,
                                     std::size_t max_tensor_bytes)
    : context_(context),
      service_(service),
      max_tensor_bytes_(max_tensor_bytes),
      grpc_service_(std::make_unique<InferenceGrpcService>()) {}

InferenceFrontEnd::~InferenceFrontEnd() = default;

grpc::Service& InferenceFrontEnd::grpc_service() { return *grpc_service_; }

void InferenceFrontEnd::Expect(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<DrainGate::Pass> alive = context_.alive.Enter();
    if (!alive) return;
    new Call(*this, *std::move(alive));  // deletes itself
  }
}

}  // namespace octet
