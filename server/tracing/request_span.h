// SPDX-License-Identifier: Apache-2.0
// What is kept of a sampled request, until it is exported.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "server/tracing/trace_context.h"

namespace octet {

// The stages follow one another from `start` on; what lies between them and the end is the answer's
// way.
struct RequestSpan {
  TraceId trace_id{};
  SpanId span_id{};
  SpanId parent_id{};  // zeros: the trace begins here
  bool has_remote_parent = false;
  std::string trace_state = {};
  const char* method = "";  // of inference.GRPCInferenceService
  const char* system = "";  // "grpc" or "http"
  std::string request_id = {};
  std::string model = {};
  std::string version = {};
  std::int64_t rows = 0;
  int code = 0;            // of the status, as gRPC numbers it
  std::string error = {};  // its message
  std::chrono::system_clock::time_point start{};
  std::chrono::nanoseconds parse{0};
  std::chrono::nanoseconds queue{0};
  std::chrono::nanoseconds gather{0};  // of the batch's inputs
  std::chrono::nanoseconds compute{0};
  std::chrono::nanoseconds encode{0};
  std::chrono::nanoseconds total{0};
  std::int64_t batch_rows = 0;  // 0: it was not computed
};

}  // namespace octet
