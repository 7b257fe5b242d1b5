// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/grpc_server.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "grpc/grpc.h"
#include "grpcpp/alarm.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

#include "server/frontends/grpc/call_context.h"
#include "server/frontends/grpc/control_call.h"
#include "server/frontends/grpc/control_methods.h"
#include "server/frontends/grpc/inference_front_end.h"
#include "server/frontends/grpc/inference_grpc_service.h"
#include "server/frontends/grpc/inference_stream.h"
#include "server/frontends/grpc/tls_server_credentials.h"

namespace octet {
namespace {

using std::chrono::steady_clock;

// Calls that gRPC may match before a worker has come to make ready for more.
constexpr std::size_t kExpectedInferences = 256;
constexpr std::size_t kExpectedStreams = 16;
constexpr std::size_t kExpectedControls = 16;

// How long requests are held around the moment in which connections are told to go away: a caller
// that waits for its answer then sends nothing into a connection that is about to close.
constexpr std::chrono::milliseconds kHoldBeforeGoAway{25};
constexpr std::chrono::milliseconds kHoldAfterGoAway{25};

// Between the last answer's leaving and the end of its connection, which could overtake it.
constexpr std::chrono::milliseconds kLastAnswerArrives{100};
constexpr std::chrono::milliseconds kLookInterval{10};

gpr_timespec ToGpr(TimePoint until) {
  if (until == kNever) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  if (until == TimePoint::min()) return gpr_inf_past(GPR_CLOCK_MONOTONIC);
  const auto left =
      std::chrono::duration_cast<std::chrono::nanoseconds>(until - steady_clock::now());
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
}

// "0.0.0.0:0" with the port that was bound.
std::string WithPort(const std::string& address, int port) {
  if (address.rfind("unix:", 0) == 0) return address;
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

// Whether `address` is a Unix socket on which somebody listens: gRPC would take it from them.
bool IsServed(absl::string_view address) {
  sockaddr_un socket_address{};
  if (!absl::ConsumePrefix(&address, "unix:") ||
      address.size() >= sizeof(socket_address.sun_path)) {
    return false;
  }
  socket_address.sun_family = AF_UNIX;
  address.copy(socket_address.sun_path, address.size());
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool is_served = connect(probe, reinterpret_cast<const sockaddr*>(&socket_address),
                                 sizeof(socket_address)) == 0;
  close(probe);
  return is_served;
}

// Calls a function on the worker that polls; deletes itself.
class Notice final : public QueueEvent {
 public:
  static void Post(CallContext& context, std::function<void()> call) {
    std::optional<DrainGate::Pass> alive = context.alive.Enter();
    if (!alive) return;
    auto* const notice = new Notice(*std::move(alive), std::move(call));
    notice->alarm_.Set(context.queue, gpr_now(GPR_CLOCK_MONOTONIC),
                       static_cast<QueueEvent*>(notice));
  }

  void Happen(bool /*ok*/, std::size_t /*worker*/) override {
    if (call_) call_();
    delete this;
  }

 private:
  Notice(DrainGate::Pass alive, std::function<void()> call)
      : alive_(std::move(alive)), call_(std::move(call)) {}
  ~Notice() = default;

  const DrainGate::Pass alive_;
  const std::function<void()> call_;
  grpc::Alarm alarm_;
};

ControlMethods AllMethods(const ControlRooms& rooms) {
  ControlMethods methods;
  AddInferenceMethods(rooms, methods);
  if (rooms.loader != nullptr) AddRepositoryMethods(rooms, methods);
  if (rooms.shared_memory != nullptr) AddSharedMemoryMethods(rooms, methods);
  AddSettingsMethods(rooms, methods);
  AddHealthMethods(rooms, methods);
  AddReflectionMethods({"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection",
                        "inference.GRPCInferenceService"},
                       methods);
  return methods;
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(Options options, InferenceService& service, const ModelRepository& repository)
      : options_(std::move(options)),
        service_(service),
        context_{.access = options_.access != nullptr ? *options_.access : open_access_},
        inference_(context_, service, grpc_service_, options_.max_request_bytes),
        streams_(context_, service, grpc_service_, options_.max_request_bytes),
        control_(context_,
                 AllMethods({service, repository, options_.server_version, options_.loader,
                             options_.shared_memory, options_.settings})),
        credentials_(options_.tls == nullptr
                         ? grpc::InsecureServerCredentials()
                         : TlsServerCredentials(*options_.tls, options_.client_certificates)) {}

  ~Impl() {
    if (server_ == nullptr || is_shut_down_) return;
    // Nobody polled: the calls that were made ready end here.
    Close([this](TimePoint until) { return Poll(0, until); });
  }

  absl::Status Start() {
    if (IsServed(options_.address)) return CannotListen();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(options_.address, credentials_, &port_);
    builder.RegisterService(&grpc_service_);
    builder.RegisterAsyncGenericService(&control_.grpc_service());
    Configure(builder);
    queue_ = builder.AddCompletionQueue();
    context_.queue = queue_.get();
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      if (server_ != nullptr) server_->Shutdown();
      server_ = nullptr;
      queue_->Shutdown();
      Drain();
      return CannotListen();
    }
    address_ = WithPort(options_.address, port_);
    inference_.Expect(kExpectedInferences);
    streams_.Expect(kExpectedStreams);
    control_.Expect(kExpectedControls);
    return absl::OkStatus();
  }

  [[nodiscard]] const std::string& address() const { return address_; }

  void SetMaxBufferedBytes(std::size_t bytes) { quota_.Resize(bytes); }

  void NotifyStateChanged() {
    Notice::Post(context_, [this] { control_.UpdateWatchers(); });
  }

  void Wake() { Notice::Post(context_, nullptr); }

  Polled Poll(std::size_t worker, TimePoint until) {
    void* tag = nullptr;
    bool ok = false;
    switch (queue_->AsyncNext(&tag, &ok, ToGpr(until))) {
      case grpc::CompletionQueue::GOT_EVENT:
        static_cast<QueueEvent*>(tag)->Happen(ok, worker);
        return Polled::kHandled;
      case grpc::CompletionQueue::TIMEOUT:
        return Polled::kTimedOut;
      case grpc::CompletionQueue::SHUTDOWN:
        break;
    }
    return Polled::kShutDown;
  }

  void Shutdown(TimePoint deadline) {
    service_.scheduler().HoldArrivals(steady_clock::now() + kHoldBeforeGoAway + kHoldAfterGoAway);
    Notice::Post(context_, [this] {
      control_.EndWaiting();
      streams_.EndAll();
    });
    std::this_thread::sleep_for(kHoldBeforeGoAway);
    std::atomic<bool> is_over = false;
    std::thread uploads([this, &is_over] { CancelUploads(is_over); });
    pthread_setname_np(uploads.native_handle(), "uploads");
    server_->Shutdown(ToGpr(deadline));
    is_over = true;
    uploads.join();
    service_.gate().Close();
    // Calls that were cancelled at the deadline may still compute: their end is awaited, because
    // they answer through the queue.
    context_.alive.WaitUntilEmpty(kNever);
    context_.alive.Close();
    context_.alive.WaitUntilEmpty(kNever);
    queue_->Shutdown();
    is_shut_down_ = true;
  }

 private:
  [[nodiscard]] absl::Status CannotListen() const {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen for gRPC on ", options_.address,
        ": the address is taken or is not this machine's; wants host:port or unix:PATH"));
  }

  // Runs beside the server's Shutdown, until `is_over`, which waits for every call that has begun.
  // gRPC hands over no request that becomes whole from then on: what is still coming in once the
  // last answer has left would be waited for in vain.
  void CancelUploads(const std::atomic<bool>& is_over) {
    TimePoint when = kNever;
    while (!is_over) {
      std::this_thread::sleep_for(kLookInterval);
      const TimePoint now = steady_clock::now();
      if (when == kNever && inference_.num_calls() + streams_.num_calls() == 0)
        when = now + kLastAnswerArrives;
      if (now < when) continue;
      grpc_server_cancel_all_calls(server_->c_server());
      return;
    }
  }

  void Configure(grpc::ServerBuilder& builder) {
    quota_.Resize(options_.max_buffered_bytes);
    builder.SetResourceQuota(quota_);
    builder.SetMaxReceiveMessageSize(static_cast<int>(options_.max_request_bytes));
    builder.SetMaxSendMessageSize(-1);
    // Tensors do not compress well, and a small message may inflate to a huge one.
    builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_NONE);
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               options_.max_streams_per_connection);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, options_.max_metadata_bytes);
    // Two servers on one port would share its connections at random.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // On a loopback or a local network the window is worth more than estimating it.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 8 << 20);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 4 << 20);
    // A connection whose peer is gone is noticed; a client may ping as often as its library does.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  }

  // Shuts down while the caller polls.
  void Close(const std::function<Polled(TimePoint)>& poll) {
    server_->Shutdown(gpr_now(GPR_CLOCK_MONOTONIC));
    while (context_.alive.inside() > 0) poll(kNever);
    queue_->Shutdown();
    Drain();
    is_shut_down_ = true;
  }

  void Drain() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
    }
  }

  const Options options_;
  InferenceService& service_;
  grpc::ResourceQuota quota_{"octet"};
  const AccessControl open_access_{AccessPolicy()};  // where there is none
  CallContext context_;
  InferenceGrpcService grpc_service_;
  InferenceFrontEnd inference_;
  InferenceStreamFrontEnd streams_;
  ControlFrontEnd control_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;  // before the queue and the credentials it uses
  int port_ = 0;
  std::string address_;
  bool is_shut_down_ = false;
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Create(Options options,
                                                               InferenceService& service,
                                                               const ModelRepository& repository) {
  auto impl = std::make_unique<Impl>(std::move(options), service, repository);
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() = default;

const std::string& GrpcServer::address() const { return impl_->address(); }
void GrpcServer::SetMaxBufferedBytes(std::size_t bytes) { impl_->SetMaxBufferedBytes(bytes); }
void GrpcServer::NotifyStateChanged() { impl_->NotifyStateChanged(); }
void GrpcServer::Shutdown(TimePoint deadline) { impl_->Shutdown(deadline); }
EventSource::Polled GrpcServer::Poll(std::size_t worker, TimePoint until) {
  return impl_->Poll(worker, until);
}
void GrpcServer::Wake() { impl_->Wake(); }

}  // namespace octet
