// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/control_call.h"

#include <chrono>
#include <optional>
#include <utility>

#include "grpc/grpc.h"
#include "grpcpp/alarm.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"

#include "server/frontends/grpc/grpc_caller.h"
#include "server/frontends/grpc/status_codec.h"

namespace octet {
namespace {

// Nothing here takes large messages; parsing one must not take the server's memory.
constexpr std::size_t kMostMessageBytes = 1 << 20;

// A call's message follows it at once; one that is slower than this may never come.
constexpr std::chrono::milliseconds kLongestWaitForMessage{250};

absl::Status Unimplemented(absl::string_view path) {
  constexpr std::size_t kMostPathBytes = 256;
  return absl::UnimplementedError(
      absl::StrCat("this server has no method ", path.substr(0, kMostPathBytes),
                   "; ServerMetadata lists its extensions, reflection its methods"));
}

absl::StatusOr<std::string> ReadWhole(const grpc::ByteBuffer& bytes) {
  if (bytes.Length() > kMostMessageBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "got a message of ", bytes.Length(), " bytes, this method takes ", kMostMessageBytes));
  }
  std::vector<grpc::Slice> slices;
  if (!bytes.Dump(&slices).ok()) {
    return absl::InvalidArgumentError("the request's bytes could not be read");
  }
  std::string whole;
  for (const grpc::Slice& slice : slices) {
    whole.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return whole;
}

// "ServerLive" of "/inference.GRPCInferenceService/ServerLive".
absl::string_view NameOf(absl::string_view path) { return path.substr(path.rfind('/') + 1); }

ControlMethods WithOperations(ControlMethods methods) {
  for (auto& [path, method] : methods) method.operation = OperationOfRpc(path);
  return methods;
}

}  // namespace

// Deletes itself after its last event. It has at most one read and one write under way.
class ControlFrontEnd::Call final {
 public:
  Call(ControlFrontEnd& front_end, DrainGate::Pass alive)
      : front_end_(front_end), alive_(std::move(alive)), stream_(&context_) {
    context_.AsyncNotifyWhenDone(done_.tag());
    front_end_.grpc_service_.RequestCall(&context_, &stream_, front_end_.context_.queue,
                                         front_end_.context_.queue, accepted_.tag());
  }

  // Writes the watched answer if it has changed.
  void Update() {
    if (method_ == nullptr || method_->kind != ControlMethod::Kind::kWatch) return;
    if (!watched_ || writing_ || finishing_) return;
    absl::StatusOr<std::string> answer = method_->handle(*watched_);
    if (!answer.ok()) return Finish(answer.status());
    if (last_answer_ && *last_answer_ == *answer) return;
    last_answer_ = *answer;
    Write(*std::move(answer));
  }

  void End() { Finish(absl::UnavailableError("the server is shutting down; reconnect")); }

  // Whether it is a stream, or its message is long in coming.
  [[nodiscard]] bool MayNeverEnd() const {
    return method_->kind != ControlMethod::Kind::kUnary ||
           std::chrono::steady_clock::now() - accepted_at_ > kLongestWaitForMessage;
  }

 private:
  // One operation's tag.
  class Event final : public QueueEvent {
   public:
    Event(Call& call, void (Call::*handler)(bool)) : call_(call), handler_(handler) {}
    void Happen(bool ok, std::size_t /*worker*/) override {
      --call_.pending_;
      (call_.*handler_)(ok);
      if (call_.pending_ == 0) delete &call_;
    }
    void* tag() { return static_cast<QueueEvent*>(this); }

   private:
    Call& call_;
    void (Call::*const handler_)(bool);
  };

  ~Call() { front_end_.open_.erase(this); }

  void OnAccepted(bool ok) {
    if (!ok) return;  // the server shuts down; the done event never comes
    ++pending_;       // which comes now
    front_end_.Expect(1);
    const auto found = front_end_.methods_.find(context_.method());
    if (found == front_end_.methods_.end()) return Finish(Unimplemented(context_.method()));
    method_ = &found->second;
    const absl::Status status = front_end_.context_.access.Authorize(
        ListenerKind::kGrpc, method_->operation, NameOf(context_.method()), GrpcCaller(context_));
    if (!status.ok()) return Finish(status);
    const bool is_stream = method_->kind != ControlMethod::Kind::kUnary;
    if (is_stream && front_end_.ends_streams_) return End();
    front_end_.open_.insert(this);
    accepted_at_ = std::chrono::steady_clock::now();
    StartRead();
  }

  void OnRead(bool ok) {
    if (finishing_ || is_done_) return;
    if (!ok) {  // the client sends no more
      return Finish(method_->kind == ControlMethod::Kind::kStream
                        ? absl::OkStatus()
                        : absl::InvalidArgumentError("the call has no message, wants one"));
    }
    absl::StatusOr<std::string> message = ReadWhole(read_);
    read_.Clear();
    if (!message.ok()) return Finish(message.status());
    if (method_->kind == ControlMethod::Kind::kWatch) {
      watched_ = *std::move(message);
      return Update();
    }
    if (method_->begin) return Begin(*message);
    Answer(method_->handle(*message));
  }

  void Begin(const std::string& message) {
    ++pending_;  // the answer keeps the call, and so the queue
    method_->begin(message, context_.peer(), [this](absl::StatusOr<std::string> answer) {
      later_ = std::move(answer);
      later_alarm_.Set(front_end_.context_.queue, gpr_now(GPR_CLOCK_MONOTONIC), later_event_.tag());
    });
  }

  void OnLater(bool /*ok*/) {
    if (!finishing_ && !is_done_) Answer(std::move(later_));
  }

  void Answer(absl::StatusOr<std::string> answer) {
    if (!answer.ok()) return Finish(answer.status());
    Write(*std::move(answer));
  }

  void OnWritten(bool ok) {
    writing_ = false;
    if (end_after_write_) return Finish(*end_after_write_);
    if (!ok || finishing_ || is_done_) return;
    if (method_->kind == ControlMethod::Kind::kWatch) return Update();
    StartRead();
  }

  void OnFinished(bool /*ok*/) {}

  void OnDone(bool /*ok*/) { is_done_ = true; }

  void StartRead() {
    ++pending_;
    stream_.Read(&read_, read_event_.tag());
  }

  void Write(const std::string& message) {
    const grpc::Slice slice(message);
    const grpc::ByteBuffer bytes(&slice, 1);
    ++pending_;
    if (method_->kind == ControlMethod::Kind::kUnary) {
      finishing_ = true;
      stream_.WriteAndFinish(bytes, {}, grpc::Status::OK, finished_.tag());
      return;
    }
    writing_ = true;
    stream_.Write(bytes, written_.tag());
  }

  void Finish(absl::Status status) {
    if (finishing_) return;
    if (writing_) {
      if (!end_after_write_) end_after_write_ = std::move(status);
      return;
    }
    finishing_ = true;
    ++pending_;
    stream_.Finish(ToGrpc(status), finished_.tag());
  }

  ControlFrontEnd& front_end_;
  const DrainGate::Pass alive_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  Event accepted_{*this, &Call::OnAccepted};
  Event read_event_{*this, &Call::OnRead};
  Event written_{*this, &Call::OnWritten};
  Event finished_{*this, &Call::OnFinished};
  Event done_{*this, &Call::OnDone};
  Event later_event_{*this, &Call::OnLater};

  const ControlMethod* method_ = nullptr;
  std::chrono::steady_clock::time_point accepted_at_;
  grpc::ByteBuffer read_;
  std::optional<std::string> watched_;  // the message that asked to watch
  std::optional<std::string> last_answer_;
  std::optional<absl::Status> end_after_write_;
  absl::StatusOr<std::string> later_;  // of a method that takes its time
  grpc::Alarm later_alarm_;
  int pending_ = 1;  // events that will come
  bool writing_ = false;
  bool finishing_ = false;
  bool is_done_ = false;
};

ControlFrontEnd::ControlFrontEnd(CallContext& context, ControlMethods methods)
    : context_(context), methods_(WithOperations(std::move(methods))) {}

void ControlFrontEnd::Expect(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<DrainGate::Pass> alive = context_.alive.Enter();
    if (!alive) return;
    new Call(*this, *std::move(alive));  // deletes itself
  }
}

void ControlFrontEnd::UpdateWatchers() {
  for (Call* const call : open_) call->Update();
}

void ControlFrontEnd::EndWaiting() {
  ends_streams_ = true;
  for (Call* const call : open_) {
    if (call->MayNeverEnd()) call->End();
  }
}

}  // namespace octet
