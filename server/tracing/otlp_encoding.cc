// SPDX-License-Identifier: Apache-2.0

#include "server/tracing/otlp_encoding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "proto/opentelemetry/v1/trace.pb.h"

namespace octet {
namespace {

namespace otlp = opentelemetry::v1;
using std::chrono::nanoseconds;

enum Kind : std::uint32_t { kInternal = 1, kServer = 2 };
constexpr std::uint32_t kStatusError = 2;
// Bits of a span's flags.
constexpr std::uint32_t kSampled = 1;
constexpr std::uint32_t kKnowsWhetherRemote = 0x100;
constexpr std::uint32_t kIsRemote = 0x200;

std::uint64_t UnixNanoseconds(std::chrono::system_clock::time_point time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count(), 0));
}

template <typename Message>
void Add(Message& message, const char* key, absl::string_view value) {
  otlp::KeyValue& attribute = *message.add_attributes();
  attribute.set_key(key);
  attribute.mutable_value()->set_string_value(value.data(), value.size());
}
void Add(otlp::Span& span, const char* key, std::int64_t value) {
  otlp::KeyValue& attribute = *span.add_attributes();
  attribute.set_key(key);
  attribute.mutable_value()->set_int_value(value);
}

template <std::size_t kSize>
std::string Bytes(const std::array<std::uint8_t, kSize>& bytes) {
  return {bytes.begin(), bytes.end()};
}

// The child's id is the request's with one more added to its last byte: no other span has it.
SpanId ChildId(const SpanId& parent, std::uint8_t number) {
  SpanId id = parent;
  id.back() = static_cast<std::uint8_t>(id.back() + number);
  return id;
}

class RequestEncoder {
 public:
  RequestEncoder(const RequestSpan& request, otlp::ScopeSpans& out)
      : request_(request), out_(out), start_(UnixNanoseconds(request.start)) {}

  void Encode() {
    EncodeRequest();
    if (request_.batch_rows == 0) return;
    AddChild("parse", request_.span_id, nanoseconds(0), request_.parse);
    AddChild("queue", request_.span_id, request_.parse, request_.queue);
    const nanoseconds batch_begin = request_.parse + request_.queue;
    const nanoseconds batch_time = request_.gather + request_.compute;
    otlp::Span& batch = AddChild("batch", request_.span_id, batch_begin, batch_time);
    Add(batch, "octet.batch.rows", request_.batch_rows);
    const SpanId batch_id = ChildId(request_.span_id, last_child_);
    AddChild("compute", batch_id, batch_begin + request_.gather, request_.compute);
    // It may have waited until others of its batch were answered.
    AddChild("encode", request_.span_id, request_.total - request_.encode, request_.encode);
  }

 private:
  void EncodeRequest() {
    otlp::Span& span = *out_.add_spans();
    span.set_trace_id(Bytes(request_.trace_id));
    span.set_span_id(Bytes(request_.span_id));
    span.set_trace_state(request_.trace_state);
    if (request_.has_remote_parent) span.set_parent_span_id(Bytes(request_.parent_id));
    span.set_flags(kSampled | kKnowsWhetherRemote | (request_.has_remote_parent ? kIsRemote : 0));
    span.set_name(absl::StrCat("inference.GRPCInferenceService/", request_.method));
    span.set_kind(kServer);
    span.set_start_time_unix_nano(start_);
    span.set_end_time_unix_nano(start_ + Count(request_.total));
    if (absl::string_view(request_.system) == "grpc") {
      Add(span, "rpc.system", "grpc");
      Add(span, "rpc.service", "inference.GRPCInferenceService");
      Add(span, "rpc.method", request_.method);
      Add(span, "rpc.grpc.status_code", std::int64_t{request_.code});
    } else {
      Add(span, "octet.status_code", std::int64_t{request_.code});
    }
    Add(span, "octet.request_id", request_.request_id);
    Add(span, "octet.model.name", request_.model);
    Add(span, "octet.model.version", request_.version);
    if (request_.rows > 0) Add(span, "octet.rows", request_.rows);
    if (request_.code != 0) {
      span.mutable_status()->set_code(kStatusError);
      span.mutable_status()->set_message(request_.error);
    }
  }

  otlp::Span& AddChild(const char* name, const SpanId& parent, nanoseconds begin,
                       nanoseconds length) {
    otlp::Span& span = *out_.add_spans();
    span.set_trace_id(Bytes(request_.trace_id));
    span.set_span_id(Bytes(ChildId(request_.span_id, ++last_child_)));
    span.set_parent_span_id(Bytes(parent));
    span.set_flags(kSampled | kKnowsWhetherRemote);
    span.set_name(name);
    span.set_kind(kInternal);
    // Within the request, whatever the stages were rounded to.
    const std::uint64_t total = Count(request_.total);
    const std::uint64_t from = std::min(Count(begin), total);
    span.set_start_time_unix_nano(start_ + from);
    span.set_end_time_unix_nano(start_ + std::min(from + Count(length), total));
    return span;
  }

  static std::uint64_t Count(nanoseconds time) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
  }

  const RequestSpan& request_;
  otlp::ScopeSpans& out_;
  const std::uint64_t start_;
  std::uint8_t last_child_ = 0;
};

}  // namespace

std::size_t NumSpans(const RequestSpan& request) { return request.batch_rows == 0 ? 1 : 6; }

std::string EncodeOtlp(std::span<const RequestSpan> requests, const TraceSource& source) {
  otlp::ExportTraceServiceRequest message;
  otlp::ResourceSpans& resource = *message.add_resource_spans();
  Add(*resource.mutable_resource(), "service.name", source.service_name);
  Add(*resource.mutable_resource(), "service.version", source.service_version);
  Add(*resource.mutable_resource(), "service.instance.id", source.instance_id);
  otlp::ScopeSpans& scope = *resource.add_scope_spans();
  scope.mutable_scope()->set_name("octet-server");
  scope.mutable_scope()->set_version(source.service_version);
  for (const RequestSpan& request : requests) RequestEncoder(request, scope).Encode();
  return message.SerializeAsString();
}

std::optional<RejectedSpans> DecodeOtlpAnswer(absl::string_view body) {
  otlp::ExportTraceServiceResponse response;
  if (!response.ParseFromArray(body.data(), static_cast<int>(body.size()))) return std::nullopt;
  return RejectedSpans{.count = response.partial_success().rejected_spans(),
                       .message = response.partial_success().error_message()};
}

}  // namespace octet
