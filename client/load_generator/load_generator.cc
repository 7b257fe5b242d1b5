// SPDX-License-Identifier: Apache-2.0
#include "client/load_generator/load_generator.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"

namespace octet::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr char kMethod[] = "/inference.GRPCInferenceService/ModelInfer";
constexpr std::chrono::seconds kConnectTimeout{5};
// The gaps between due times must not round to zero.
constexpr double kMaxRequestsPerSecond = 1e6;

// One request on its way.
struct Call {
  std::size_t request_index = 0;
  SteadyClock::time_point start;  // open loop: when it was due
  bool is_measured = false;
  grpc::ClientContext context;
  grpc::ByteBuffer response;
  grpc::Status status;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
};

std::string Concatenate(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

class Generator {
 public:
  explicit Generator(const LoadOptions& options) : options_(options) {
    for (const std::string& request : options.requests) {
      const grpc::Slice slice(request);
      requests_.emplace_back(&slice, 1);
    }
  }

  absl::Status Connect() {
    for (std::size_t i = 0; i < options_.num_connections; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetMaxReceiveMessageSize(-1);
      arguments.SetMaxSendMessageSize(-1);
      // Each channel is a connection of its own.
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      auto channel = grpc::CreateCustomChannel(options_.address, grpc::InsecureChannelCredentials(),
                                               arguments);
      if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectTimeout)) {
        return absl::UnavailableError(absl::StrCat("no server answers at \"", options_.address,
                                                   "\" within ", kConnectTimeout.count(), " s"));
      }
      stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
    }
    return absl::OkStatus();
  }

  LoadReport Run() {
    const bool counts = options_.num_requests > 0;
    const SteadyClock::time_point begin = SteadyClock::now();
    measure_from_ = counts ? begin : begin + options_.warm_up;
    stop_at_ = counts ? SteadyClock::time_point::max() : measure_from_ + options_.duration;
    next_due_ = begin;
    if (options_.requests_per_second <= 0) {
      for (std::size_t i = 0; i < options_.num_in_flight; ++i) StartIfAllowed(SteadyClock::now());
      while (num_in_flight_ > 0) AwaitOne(SteadyClock::time_point::max());
    } else {
      RunOpenLoop();
    }
    // No answer measured: all requests were due before, and took longer than the whole time.
    const bool is_any_measured = last_answer_ > measure_from_;
    const SteadyClock::time_point end = is_any_measured ? last_answer_ : SteadyClock::now();
    report_.seconds = std::chrono::duration<double>(end - measure_from_).count();
    std::sort(report_.latencies_us.begin(), report_.latencies_us.end());
    std::sort(report_.failed_latencies_us.begin(), report_.failed_latencies_us.end());
    return std::move(report_);
  }

  void Drain() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) delete static_cast<Call*>(tag);
  }

 private:
  void RunOpenLoop() {
    std::mt19937_64 random(20250101);
    std::exponential_distribution<double> gap(options_.requests_per_second);
    while (MayStart(next_due_) || num_in_flight_ > 0) {
      const SteadyClock::time_point now = SteadyClock::now();
      if (MayStart(next_due_) && next_due_ <= now && num_in_flight_ < options_.num_in_flight) {
        StartIfAllowed(next_due_);
        next_due_ += std::chrono::duration_cast<SteadyClock::duration>(
            std::chrono::duration<double>(gap(random)));
        continue;
      }
      const bool waits_for_answer = !MayStart(next_due_) || next_due_ <= now;
      AwaitOne(waits_for_answer ? SteadyClock::time_point::max() : next_due_);
    }
  }

  [[nodiscard]] bool MayStart(SteadyClock::time_point when) const {
    if (options_.num_requests > 0) return num_started_ < options_.num_requests;
    return when < stop_at_;
  }

  void StartIfAllowed(SteadyClock::time_point due) {
    if (!MayStart(due)) return;
    if (options_.pause > std::chrono::milliseconds::zero()) {
      std::this_thread::sleep_for(options_.pause);
      due = SteadyClock::now();
    }
    auto call = std::make_unique<Call>();
    call->request_index = num_started_ % requests_.size();
    call->start = due;
    call->is_measured = due >= measure_from_;
    call->context.set_deadline(std::chrono::system_clock::now() + options_.timeout);
    grpc::GenericStub& stub = *stubs_[num_started_ % stubs_.size()];
    call->reader =
        stub.PrepareUnaryCall(&call->context, kMethod, requests_[call->request_index], &queue_);
    call->reader->StartCall();
    Call* const tag = call.release();  // comes back from the queue
    tag->reader->Finish(&tag->response, &tag->status, tag);
    ++num_started_;
    ++num_in_flight_;
  }

  // Handles one answer; returns without one at `until`.
  void AwaitOne(SteadyClock::time_point until) {
    void* tag = nullptr;
    bool ok = false;
    if (until == SteadyClock::time_point::max()) {
      queue_.Next(&tag, &ok);
    } else {
      const auto deadline = std::chrono::system_clock::now() + (until - SteadyClock::now());
      const auto result = queue_.AsyncNext(
          &tag, &ok, std::chrono::time_point_cast<std::chrono::system_clock::duration>(deadline));
      if (result != grpc::CompletionQueue::GOT_EVENT) return;
    }
    const std::unique_ptr<Call> call(static_cast<Call*>(tag));
    const SteadyClock::time_point now = SteadyClock::now();
    --num_in_flight_;
    if (call->is_measured) Record(*call, now);
    if (options_.requests_per_second <= 0) StartIfAllowed(now);
  }

  void Record(const Call& call, SteadyClock::time_point now) {
    last_answer_ = now;
    const double latency_us = std::chrono::duration<double, std::micro>(now - call.start).count();
    if (!call.status.ok()) {
      report_.failed_latencies_us.push_back(latency_us);
      const auto code = static_cast<absl::StatusCode>(call.status.error_code());
      const std::string code_name = absl::StatusCodeToString(code);
      const auto known = std::find_if(
          report_.failures.begin(), report_.failures.end(),
          [&](const auto& failure) { return failure.first.rfind(code_name + ":", 0) == 0; });
      if (known != report_.failures.end()) {
        ++known->second;
      } else {
        report_.failures[absl::StrCat(code_name, ": ", call.status.error_message())] = 1;
      }
      return;
    }
    ++report_.num_answered;
    report_.latencies_us.push_back(latency_us);
    if (options_.on_response) {
      options_.on_response(call.request_index, Concatenate(call.response));
    }
  }

  const LoadOptions& options_;
  std::vector<grpc::ByteBuffer> requests_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  SteadyClock::time_point measure_from_;
  SteadyClock::time_point stop_at_;
  SteadyClock::time_point next_due_;
  SteadyClock::time_point last_answer_;
  std::uint64_t num_started_ = 0;
  std::size_t num_in_flight_ = 0;
  LoadReport report_;
};

}  // namespace

std::uint64_t LoadReport::num_failed() const {
  std::uint64_t sum = 0;
  for (const auto& [message, count] : failures) sum += count;
  return sum;
}

double LoadReport::throughput() const {
  return seconds > 0 ? static_cast<double>(num_answered) / seconds : 0;
}

double LoadReport::Percentile(double fraction) const {
  return client::Percentile(latencies_us, fraction);
}

double Percentile(std::span<const double> latencies, double fraction) {
  if (latencies.empty()) return 0;
  const double rank = std::ceil(fraction * static_cast<double>(latencies.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return latencies[std::min(index, latencies.size() - 1)];
}

absl::StatusOr<LoadReport> GenerateLoad(const LoadOptions& options) {
  if (options.requests.empty()) return absl::InvalidArgumentError("got no request to send");
  if (options.num_in_flight == 0 || options.num_connections == 0) {
    return absl::InvalidArgumentError("requests in flight and connections must be at least 1");
  }
  if (!(options.requests_per_second <= kMaxRequestsPerSecond)) {
    return absl::InvalidArgumentError(absl::StrCat("got a rate of ", options.requests_per_second,
                                                   " requests a second, at most ",
                                                   kMaxRequestsPerSecond, " are possible"));
  }
  if (options.pause > std::chrono::milliseconds::zero() &&
      (options.num_in_flight != 1 || options.requests_per_second > 0)) {
    return absl::InvalidArgumentError("pauses need one request in flight and no rate");
  }
  Generator generator(options);
  if (absl::Status status = generator.Connect(); !status.ok()) return status;
  LoadReport report = generator.Run();
  generator.Drain();
  return report;
}

}  // namespace octet::client
