// SPDX-License-Identifier: Apache-2.0
// Which requests are traced, and where their spans go.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "server/tracing/collector_client.h"
#include "server/tracing/request_span.h"
#include "server/tracing/trace_context.h"

namespace octet {

// Keeps the spans of sampled requests in a ring, which the thread `trace` empties to a collector.
//
// Thread safety: any thread may call any method, but for Stop: one. Nothing but Stop waits or takes
// a lock.
class Tracer {
 public:
  struct Options {
    CollectorEndpoint endpoint;
    std::string service_name = "octet";
    std::string service_version;
    double sample = 1;                          // share of the requests whose caller says nothing
    std::size_t max_requests = 2048;            // that wait; the oldest make way for new ones
    std::chrono::milliseconds interval{1000};   // between a span and its export, at most
    std::chrono::milliseconds timeout{10'000};  // of one attempt
    std::chrono::milliseconds flush{3000};      // for what waits when it stops
  };
  // Starts the thread.
  explicit Tracer(Options options);
  ~Tracer();  // stops
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // The ids of a new request, if it is to be traced: as its caller says, or, without a caller's
  // context, at random.
  struct Begun {
    TraceId trace_id{};
    SpanId span_id{};
  };
  [[nodiscard]] std::optional<Begun> Begin(const std::optional<TraceContext>& caller) const;

  // Keeps `span` for the export.
  void End(RequestSpan span);

  // Exports what waits, for a bounded time. Afterwards nothing is kept any more.
  void Stop();

  struct Counts {  // of spans, ever
    std::uint64_t exported = 0;
    std::uint64_t dropped = 0;  // for want of room
    std::uint64_t failed = 0;   // the collector did not take them
  };
  [[nodiscard]] Counts counts() const;

 private:
  struct State;
  static void Run(State& state);

  const double sample_;
  const std::shared_ptr<State> state_;  // the thread's too
  bool is_stopped_ = false;
};

}  // namespace octet
