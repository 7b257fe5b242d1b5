// SPDX-License-Identifier: Apache-2.0

#include "server/inference/request_observer.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "models/base/utf8.h"

namespace octet {
namespace {

constexpr std::size_t kMostIdBytes = 128;
constexpr std::size_t kMostNameBytes = 256;
constexpr std::size_t kMostErrorBytes = 512;

std::mt19937& Random() {
  thread_local std::mt19937 random{std::random_device{}()};
  return random;
}

// Of a request whose caller gave none: unlike those of other servers and starts.
std::string MakeId() {
  static const std::uint64_t start =
      (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  static std::atomic<std::uint64_t> number = 0;
  return absl::StrFormat("octet-%016x-%x", start, ++number);
}

}  // namespace

bool IsLogged(const RequestLogPolicy& policy, absl::StatusCode code, std::chrono::nanoseconds total,
              double random) {
  if (policy.logs_errors && code != absl::StatusCode::kOk) return true;
  if (policy.slow.count() > 0 && total > policy.slow) return true;
  return random < policy.sample;
}

class RequestObserver::Record final : public RequestRecord {
 public:
  Record(const Options& options, const RequestOrigin& origin)
      : options_(options), method_(origin.method), system_(origin.system) {
    const absl::string_view id = origin.id.empty() ? origin.header_id : origin.id;
    if (!id.empty()) id_ = ValidUtf8(id, kMostIdBytes);
    if (!origin.traceparent.empty()) {
      caller_ = ParseTraceContext(origin.traceparent, origin.tracestate);
    }
    if (options.tracer != nullptr) begun_ = options.tracer->Begin(caller_);
  }

  void Ended(const InferenceRequest& request, const absl::Status& status,
             const RequestTimes& times) override {
    const bool is_logged = options_.policy.logs_any() &&
                           IsLogged(options_.policy, status.code(), times.total,
                                    std::uniform_real_distribution<double>(0, 1)(Random()));
    if (!is_logged && !begun_) return;
    if (id_.empty()) id_ = MakeId();
    const bool is_routed = request.metrics != nullptr;
    const absl::string_view model = is_routed ? request.model.name : request.model_name;
    const absl::string_view version = is_routed ? request.model.version : request.model_version;
    if (is_logged) {
      const std::string trace_id = begun_    ? Hex(begun_->trace_id)
                                   : caller_ ? Hex(caller_->trace_id)
                                             : "";
      options_.log({.request_id = id_,
                    .trace_id = trace_id,
                    .method = method_,
                    .model = model,
                    .version = version,
                    .is_routed = is_routed,
                    .code = status.code(),
                    .error = absl::string_view(status.message()).substr(0, kMostErrorBytes),
                    .times = times});
    }
    if (begun_) options_.tracer->End(MakeSpan(request.arrival, model, version, status, times));
  }

 private:
  RequestSpan MakeSpan(TimePoint arrival, absl::string_view model, absl::string_view version,
                       const absl::Status& status, const RequestTimes& times) {
    RequestSpan span;
    span.trace_id = begun_->trace_id;
    span.span_id = begun_->span_id;
    if (caller_) {
      span.has_remote_parent = true;
      span.parent_id = caller_->span_id;
      span.trace_state = std::move(caller_->state);
    }
    span.method = method_;
    span.system = system_;
    span.request_id = std::move(id_);
    span.model = ValidUtf8(model, kMostNameBytes);
    span.version = ValidUtf8(version, kMostNameBytes);
    span.rows = times.rows;
    span.code = static_cast<int>(status.code());
    span.error = ValidUtf8(absl::string_view(status.message()), kMostErrorBytes);
    const auto ago = std::chrono::steady_clock::now() - arrival;
    span.start = std::chrono::system_clock::now() -
                 std::chrono::duration_cast<std::chrono::system_clock::duration>(ago);
    span.parse = times.parse;
    span.queue = times.queue;
    span.gather = times.gather;
    span.compute = times.quantize + times.compute;
    span.encode = times.respond;
    span.total = times.total;
    span.batch_rows = times.batch_rows;
    return span;
  }

  const Options& options_;
  const char* const method_;
  const char* const system_;
  std::string id_;
  std::optional<TraceContext> caller_;
  std::optional<Tracer::Begun> begun_;
};

std::unique_ptr<RequestRecord> RequestObserver::Begin(const RequestOrigin& origin) const {
  return std::make_unique<Record>(options_, origin);
}

}  // namespace octet
