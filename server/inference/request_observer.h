// SPDX-License-Identifier: Apache-2.0
// What is told of single requests, if anybody wants to know: lines for the log, spans for a
// collector.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "server/metrics/model_metrics.h"
#include "server/scheduling/request.h"
#include "server/tracing/tracer.h"

namespace octet {

// How one request ended; its texts live as long as the call that it is given to.
struct RequestReport {
  absl::string_view request_id;
  absl::string_view trace_id;  // empty: no caller's, and not traced
  absl::string_view method;
  absl::string_view model;  // as answered, or, if it was refused before, as asked for
  absl::string_view version;
  bool is_routed = false;  // the model is one that there is
  absl::StatusCode code = absl::StatusCode::kOk;
  absl::string_view error;
  RequestTimes times = {};
};

// Which requests have a line.
struct RequestLogPolicy {
  double sample = 0;                 // share of all
  bool logs_errors = false;          // and those that were answered with an error
  std::chrono::nanoseconds slow{0};  // and those that took longer; 0: no such rule

  [[nodiscard]] bool logs_any() const { return sample > 0 || logs_errors || slow.count() > 0; }
  friend bool operator==(const RequestLogPolicy&, const RequestLogPolicy&) = default;
};
// Whether a request that ended so has a line; `random` is from 0 to below 1. Pure.
bool IsLogged(const RequestLogPolicy& policy, absl::StatusCode code, std::chrono::nanoseconds total,
              double random);

// What a front end knows of a request beside its contents. The texts need not outlive the call that
// takes them; those of headers may be anything.
struct RequestOrigin {
  absl::string_view id = {};           // the message's, or empty
  absl::string_view header_id = {};    // the header x-request-id, or empty
  absl::string_view traceparent = {};  // and those of W3C Trace Context
  absl::string_view tracestate = {};
  const char* method = "ModelInfer";  // of inference.GRPCInferenceService, for ever
  const char* system = "grpc";        // or "http"
};

// Thread safety: any thread may call any method.
class RequestObserver {
 public:
  struct Options {
    RequestLogPolicy policy;
    // Takes the line of each request that the policy chooses. Must not wait.
    std::function<void(const RequestReport&)> log;
    Tracer* tracer = nullptr;  // null: no spans; borrowed
  };
  explicit RequestObserver(Options options) : options_(std::move(options)) {}

  // For a request that has just been read, or failed to be.
  [[nodiscard]] std::unique_ptr<RequestRecord> Begin(const RequestOrigin& origin) const;

 private:
  class Record;

  const Options options_;
};

}  // namespace octet
