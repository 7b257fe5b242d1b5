// SPDX-License-Identifier: Apache-2.0
// W3C Trace Context, as a caller sends it in the headers traceparent and tracestate.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace octet {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

struct TraceContext {
  TraceId trace_id{};
  SpanId span_id{};  // the caller's: the parent of what happens here
  bool is_sampled = false;
  std::string state;  // tracestate, or empty

  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

// What the headers say; nullopt if traceparent is not one: the trace begins here then. A tracestate
// that is not one is dropped, and the rest is kept. Several headers of a name are given as one,
// with commas between, which no traceparent survives. Pure.
std::optional<TraceContext> ParseTraceContext(absl::string_view traceparent,
                                              absl::string_view tracestate);

// "4bf92f3577b34da6a3ce929d0e0e4736".
std::string Hex(std::span<const std::uint8_t> bytes);

}  // namespace octet
