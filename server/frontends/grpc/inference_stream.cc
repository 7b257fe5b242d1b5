// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/inference_stream.h"

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/async_stream.h"
#include "grpcpp/support/byte_buffer.h"

#include "models/base/mutex.h"
#include "server/access/own_machine.h"
#include "server/frontends/grpc/grpc_caller.h"
#include "server/frontends/grpc/inference_message.h"
#include "server/frontends/grpc/request_origin.h"
#include "server/frontends/grpc/status_codec.h"

namespace octet {
namespace {

// With this header, a request's error ends the stream as its status.
constexpr char kErrorsEndTheStream[] = "triton_grpc_error";

bool HasTrueHeader(const grpc::ServerContext& context, const char* name) {
  const auto found = context.client_metadata().find(name);
  return found != context.client_metadata().end() && found->second == "true";
}

}  // namespace

// Owned by itself until its last event, and by its requests until they are answered: one that is
// still computed when its stream was cancelled finds nobody to answer to.
class InferenceStreamFrontEnd::Call final : public std::enable_shared_from_this<Call> {
 public:
  static void Start(InferenceStreamFrontEnd& front_end, DrainGate::Pass alive) {
    const std::shared_ptr<Call> call(new Call(front_end, std::move(alive)));
    call->self_ = call;
    call->context_.AsyncNotifyWhenDone(call->done_.tag());
    front_end.grpc_service_.RequestModelStreamInfer(
        &call->context_, &call->stream_, front_end.context_.queue, front_end.context_.queue,
        call->accepted_.tag());
  }

  ~Call() { --front_end_.num_calls_; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Ends it once what was read is answered.
  void End() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    EndWith(absl::UnavailableError("the server is shutting down; reconnect"));
  }

 private:
  // One operation's tag.
  class Event final : public QueueEvent {
   public:
    using Handler = void (Call::*)(bool ok, std::size_t worker);
    Event(Call& call, Handler handler) : call_(call), handler_(handler) {}
    void Happen(bool ok, std::size_t worker) override {
      const std::shared_ptr<Call> alive = call_.shared_from_this();
      (call_.*handler_)(ok, worker);
      call_.CountEvent();
    }
    void* tag() { return static_cast<QueueEvent*>(this); }

   private:
    Call& call_;
    const Handler handler_;
  };

  // A request between its reading and the leaving of its answer.
  struct Turn {
    std::size_t byte_size = 0;  // of the request, then of the answer
    bool is_answered = false;
    grpc::ByteBuffer answer;
    absl::Status error;  // for a stream that its first error ends
  };

  class TurnCompletion final : public Completion {
   public:
    TurnCompletion(std::shared_ptr<Call> call, std::size_t index)
        : call_(std::move(call)), index_(index) {}
    [[nodiscard]] bool IsCancelled() const override { return call_->IsCancelled(); }
    void Complete(absl::StatusOr<InferenceAnswer> answer) override {
      call_->Answer(index_, message_, std::move(answer));
    }

    [[nodiscard]] RequestMessage& message() { return message_; }

   private:
    const std::shared_ptr<Call> call_;
    const std::size_t index_;
    RequestMessage message_;
  };

  Call(InferenceStreamFrontEnd& front_end, DrainGate::Pass alive)
      : front_end_(front_end), alive_(std::move(alive)), stream_(&context_) {
    ++front_end_.num_calls_;
  }

  // Any thread.
  [[nodiscard]] bool IsCancelled() const {
    return is_over_.load(std::memory_order_relaxed) || context_.IsCancelled();
  }

  void CountEvent() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const MutexLock lock(mutex_);
      if (--pending_ > 0) return;
    }
    front_end_.open_.erase(this);
    self_ = nullptr;
  }

  void OnAccepted(bool ok, std::size_t /*worker*/) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (!ok) return;  // the server shuts down; the done event never comes
    front_end_.Expect(1);
    front_end_.open_.insert(this);
    const MutexLock lock(mutex_);
    ++pending_;  // done, which comes now
    errors_end_it_ = HasTrueHeader(context_, kErrorsEndTheStream);
    if (const absl::Status status = Authorize(); !status.ok()) return EndWith(status);
    if (front_end_.ends_streams_) {
      return EndWith(absl::UnavailableError("the server is shutting down; reconnect"));
    }
    ReadOn();
  }

  // Whether its caller may infer, and still may once the access file has changed.
  absl::Status Authorize() {
    const AccessControl& access = front_end_.context_.access;
    access_generation_ = access.generation();
    return access.Authorize(ListenerKind::kGrpc, Operation::kInfer, "ModelStreamInfer",
                            GrpcCaller(context_));
  }

  void OnRead(bool ok, std::size_t worker) ABSL_LOCKS_EXCLUDED(mutex_) {
    auto request = std::make_unique<InferenceRequest>();
    grpc::ByteBuffer bytes;
    TurnCompletion* completion = nullptr;
    {
      const MutexLock lock(mutex_);
      is_reading_ = false;
      if (is_finishing_ || is_done_) return;
      if (!ok) return EndWith(absl::OkStatus());  // the client sends no more
      if (front_end_.context_.access.generation() != access_generation_) {
        if (const absl::Status status = Authorize(); !status.ok()) return EndWith(status);
      }
      bytes.Swap(&read_);
      auto made = std::make_unique<TurnCompletion>(shared_from_this(), first_turn_ + turns_.size());
      completion = made.get();
      request->completion = std::move(made);
      turns_.emplace_back().byte_size = bytes.Length();
      unanswered_bytes_ += bytes.Length();
      // Before it is answered, which may be here and now, and another event comes.
      ReadOn();
    }
    absl::Status status = ReadRequest(bytes, context_.raw_deadline(), front_end_.max_tensor_bytes_,
                                      completion->message(), *request);
    completion->message().form.is_of_stream = true;
    ObserveRequest(front_end_.service_, context_, completion->message().form.id, "ModelStreamInfer",
                   *request);
    if (status.ok()) {
      if (NamesSharedMemory(*request)) request->is_of_own_machine = IsOwnMachine(context_.peer());
      front_end_.service_.Infer(worker, std::move(request));
    } else {
      front_end_.service_.Reject(worker, std::move(request), std::move(status));
    }
  }

  void OnWritten(bool ok, std::size_t /*worker*/) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    is_writing_ = false;
    PopTurn();
    if (!ok) is_broken_ = true;  // the client is gone; what it sent is worth nothing any more
    Advance();
  }

  void OnFinished(bool /*ok*/, std::size_t /*worker*/) {}

  void OnDone(bool /*ok*/, std::size_t /*worker*/) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    is_done_ = true;
    is_over_.store(true, std::memory_order_relaxed);
  }

  // On any worker's thread.
  void Answer(std::size_t index, const RequestMessage& message,
              absl::StatusOr<InferenceAnswer> answer) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::Status error = answer.status();
    grpc::ByteBuffer bytes;
    if (error.ok()) {
      absl::StatusOr<EncodedAnswer> encoded = EncodeAnswer(*answer, message.form, kMostTypedBytes);
      error = encoded.status();
      if (error.ok()) bytes = ToByteBuffer(*answer, *std::move(encoded));
    }
    if (!error.ok()) {
      const std::string whole = EncodeStreamError(error, message.form);
      const grpc::Slice slice(whole);
      bytes = grpc::ByteBuffer(&slice, 1);
    }
    const MutexLock lock(mutex_);
    Turn& turn = turns_[index - first_turn_];
    unanswered_bytes_ -= turn.byte_size;
    turn.byte_size = bytes.Length();
    unanswered_bytes_ += turn.byte_size;
    turn.answer.Swap(&bytes);
    turn.error = std::move(error);
    turn.is_answered = true;
    Advance();
  }

  void PopTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    unanswered_bytes_ -= turns_.front().byte_size;
    turns_.pop_front();
    ++first_turn_;
  }

  // Starts the next read, if there is room for what it brings.
  void ReadOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (is_reading_ || end_ || is_finishing_ || is_done_ || is_broken_) return;
    if (!turns_.empty() &&
        (turns_.size() >= kMostUnanswered || unanswered_bytes_ >= kMostUnansweredBytes)) {
      return;
    }
    is_reading_ = true;
    ++pending_;
    stream_.Read(&read_, read_event_.tag());
  }

  // No request is read from now on; the stream ends with `status` once all are answered.
  void EndWith(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!end_) end_ = std::move(status);
    Advance();
  }

  // Does what the stream waits for: writes the answer whose turn it is, ends, reads on.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (is_finishing_ || is_done_ || is_writing_) return;
    if (is_broken_) return;  // the done event comes
    if (!turns_.empty() && turns_.front().is_answered) {
      Turn& turn = turns_.front();
      if (errors_end_it_ && !turn.error.ok()) return Finish(turn.error);
      is_writing_ = true;
      ++pending_;
      stream_.Write(turn.answer, written_.tag());
    } else if (turns_.empty() && end_) {
      return Finish(*end_);
    }
    ReadOn();
  }

  void Finish(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    is_finishing_ = true;
    is_over_.store(true, std::memory_order_relaxed);
    ++pending_;
    stream_.Finish(ToGrpc(status), finished_.tag());
  }

  InferenceStreamFrontEnd& front_end_;
  const DrainGate::Pass alive_;
  grpc::ServerContext context_;
  std::shared_ptr<Call> self_;           // until the last event
  std::uint64_t access_generation_ = 0;  // of what was last decided; of the worker that polls

  Event accepted_{*this, &Call::OnAccepted};
  Event read_event_{*this, &Call::OnRead};
  Event written_{*this, &Call::OnWritten};
  Event finished_{*this, &Call::OnFinished};
  Event done_{*this, &Call::OnDone};
  std::atomic<bool> is_over_ = false;  // nobody waits for answers any more

  Mutex mutex_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_;
  grpc::ByteBuffer read_;
  bool errors_end_it_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Turn> turns_ ABSL_GUARDED_BY(mutex_);            // in the order of the requests
  std::size_t first_turn_ ABSL_GUARDED_BY(mutex_) = 0;        // index of the first of them, ever
  std::size_t unanswered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of all turns
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);   // of a stream that is not read on
  int pending_ ABSL_GUARDED_BY(mutex_) = 1;                   // events that will come
  bool is_reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_done_ ABSL_GUARDED_BY(mutex_) = false;
};

InferenceStreamFrontEnd::InferenceStreamFrontEnd(CallContext& context, InferenceService& service,
                                                 InferenceGrpcService& grpc_service,
                                                 std::size_t max_tensor_bytes)
    : context_(context),
      service_(service),
      grpc_service_(grpc_service),
      max_tensor_bytes_(max_tensor_bytes) {}

void InferenceStreamFrontEnd::Expect(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<DrainGate::Pass> alive = context_.alive.Enter();
    if (!alive) return;
    Call::Start(*this, *std::move(alive));
  }
}

void InferenceStreamFrontEnd::EndAll() {
  ends_streams_ = true;
  for (Call* const call : open_) call->End();
}

}  // namespace octet
