// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/infer_route.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "server/frontends/http/compression.h"
#include "server/frontends/http/infer_answer.h"
#include "server/frontends/http/infer_request.h"

namespace octet {
namespace {

constexpr std::size_t kMostJsonBytes = std::size_t{1} << 30;  // of an answer
constexpr const char* kJsonLength = "Inference-Header-Content-Length";

// curl's --data says that it is a form unless told otherwise.
bool IsKnownType(absl::string_view content_type) {
  const absl::string_view type =
      absl::StripAsciiWhitespace(content_type.substr(0, content_type.find(';')));
  if (type.empty()) return true;
  for (const absl::string_view known :
       {"application/json", "application/octet-stream", "application/x-www-form-urlencoded"}) {
    if (absl::EqualsIgnoreCase(type, known)) return true;
  }
  return false;
}

// One request on its way, from the worker that decodes it to the one that has computed it.
struct Call {
  RouteMatch match;
  HttpRequest request;
  HttpAnswer answer;
  TimePoint arrival;
  BodyBuffer inflated;
  InferBody body;  // its inputs have gone to the InferenceRequest
};

class CallCompletion final : public Completion {
 public:
  explicit CallCompletion(std::unique_ptr<Call> call) : call_(std::move(call)) {}

  [[nodiscard]] bool IsCancelled() const override { return call_->request.is_cancelled(); }

  void Complete(absl::StatusOr<InferenceAnswer> answer) override {
    if (!answer.ok()) return call_->answer(ErrorReply(answer.status()));
    absl::StatusOr<HttpReply> reply = InferReply(*answer, call_->body.form, kMostJsonBytes);
    if (!reply.ok()) return call_->answer(ErrorReply(reply.status()));
    Compress(call_->request.head.Find("Accept-Encoding"), *reply);
    call_->answer(*std::move(reply));
  }

 private:
  const std::unique_ptr<Call> call_;
};

absl::StatusOr<InferBody> ReadBody(const InferRooms& rooms, Call& call) {
  const RequestHead& head = call.request.head;
  std::span<const std::byte> bytes = call.request.body.bytes();
  const Coding coding =
      ParseContentEncoding(head.Find("Content-Encoding")).value_or(Coding::kIdentity);
  if (coding != Coding::kIdentity) {
    call.inflated = BodyBuffer(&rooms.bodies);
    RETURN_IF_ERROR(Inflate(coding, bytes, rooms.max_request_bytes, call.inflated));
    bytes = call.inflated.bytes();
    call.request.body = {};
  }
  ASSIGN_OR_RETURN(const std::optional<std::size_t> length,
                   ParseJsonLength(head.Find(kJsonLength), bytes.size()));
  if (length != std::size_t{0}) {
    return ReadInferBody(bytes, length.value_or(bytes.size()), rooms.max_request_bytes);
  }
  ASSIGN_OR_RETURN(const ModelHandle model,
                   rooms.repository.Find(call.match.model, call.match.version));
  return RawInferBody(ConfigurationOf(rooms.repository, *model), bytes);
}

bool WantsTypedOutputs(const InferAnswerForm& form) {
  if (form.binary_outputs.empty()) return !form.is_binary;
  return std::none_of(form.binary_outputs.begin(), form.binary_outputs.end(),
                      [](bool is_binary) { return is_binary; });
}

// Begins the request's record, if the service has an observer.
void Observe(const InferenceService& service, const Call& call, InferenceRequest& request) {
  if (service.observer() == nullptr) return;
  const RequestHead& head = call.request.head;
  request.record = service.observer()->Begin({.id = call.body.form.id,
                                              .header_id = head.Find("X-Request-Id"),
                                              .traceparent = head.Find("traceparent"),
                                              .tracestate = head.Find("tracestate"),
                                              .method = "infer",
                                              .system = "http"});
}

// By the worker that polls.
void Run(const InferRooms& rooms, std::size_t worker, std::unique_ptr<Call> call) {
  auto request = std::make_unique<InferenceRequest>();
  request->arrival = call->arrival;
  request->model_name = call->match.model;
  request->model_version = call->match.version;
  absl::StatusOr<InferBody> body = ReadBody(rooms, *call);
  if (body.ok()) {
    call->body = *std::move(body);
    request->inputs = std::move(call->body.inputs);
    request->outputs = std::move(call->body.outputs);
    request->timeout = TimeoutOf(call->body.options);
    request->priority = call->body.options.priority.value_or(0);
    request->wants_typed_outputs = WantsTypedOutputs(call->body.form);
  }
  Observe(rooms.service, *call, *request);
  request->completion = std::make_unique<CallCompletion>(std::move(call));
  if (body.ok()) {
    rooms.service.Infer(worker, std::move(request));
  } else {
    rooms.service.Reject(worker, std::move(request), body.status());
  }
}

}  // namespace

std::optional<HttpReply> CheckInferHead(const RequestHead& head) {
  if (!head.is_chunked && !head.content_length) {
    return ErrorReply(411, "wants a body, and its Content-Length or chunks");
  }
  if (!IsKnownType(head.Find("Content-Type"))) {
    return ErrorReply(415, absl::StrCat("Content-Type is ", Quoted(head.Find("Content-Type")),
                                        ", wants application/json or application/octet-stream"));
  }
  if (!ParseContentEncoding(head.Find("Content-Encoding"))) {
    HttpReply reply =
        ErrorReply(415, absl::StrCat("Content-Encoding is ", Quoted(head.Find("Content-Encoding")),
                                     ", wants gzip, deflate or none"));
    reply.fields.push_back({"Accept-Encoding", "gzip, deflate"});
    return reply;
  }
  return std::nullopt;
}

void Infer(const InferRooms& rooms, RouteMatch match, HttpRequest request, HttpAnswer answer) {
  auto call = std::make_shared<std::unique_ptr<Call>>(std::make_unique<Call>());
  (*call)->match = std::move(match);
  (*call)->request = std::move(request);
  (*call)->answer = std::move(answer);
  (*call)->arrival = std::chrono::steady_clock::now();
  const bool is_posted = rooms.workers.Post(
      [&rooms, call](std::size_t worker) { Run(rooms, worker, std::move(*call)); });
  if (is_posted) return;
  (*call)->answer(ErrorReply(503, "the server is shutting down; retry elsewhere"));
}

}  // namespace octet
