// SPDX-License-Identifier: Apache-2.0
// Requests to the bytes that a collector takes, and its answer back.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/strings/string_view.h"

#include "server/tracing/request_span.h"

namespace octet {

// Who exports.
struct TraceSource {
  std::string service_name;
  std::string service_version;
  std::string instance_id;  // of this process
};

// An ExportTraceServiceRequest: of each request one span of kind SERVER, and, if it was computed,
// its children parse, queue, batch and encode, and batch's child compute.
std::string EncodeOtlp(std::span<const RequestSpan> requests, const TraceSource& source);

// How many spans of those the encoding has of `request`.
std::size_t NumSpans(const RequestSpan& request);

// What a collector that took the rest did not take.
struct RejectedSpans {
  std::int64_t count = 0;
  std::string message;
};
// Nullopt if `body` is no ExportTraceServiceResponse.
std::optional<RejectedSpans> DecodeOtlpAnswer(absl::string_view body);

}  // namespace octet
