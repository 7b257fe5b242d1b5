// SPDX-License-Identifier: Apache-2.0
// Bodies of inference requests over HTTP, and small bodies beside them.

#include <cstddef>
#include <cstdint>
#include <span>

#include "server/frontends/http/compression.h"
#include "server/frontends/http/control_body.h"
#include "server/frontends/http/infer_request.h"
#include "server/frontends/http/request_parser.h"
#include "server/frontends/http/route_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMostBytes = 1 << 20;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  const absl::string_view text(reinterpret_cast<const char*>(data), size);

  static_cast<void>(octet::ReadInferBody(bytes, size, kMostBytes));
  // The first byte says how much of the rest is JSON.
  if (size > 1) {
    const std::size_t json_size = (size - 1) * data[0] / 256;
    static_cast<void>(octet::ReadInferBody(bytes.subspan(1), json_size, kMostBytes));
  }
  static_cast<void>(octet::ReadIndexBody(text));
  static_cast<void>(octet::CheckManagementBody(text));
  static_cast<void>(octet::CheckTraceBody(octet::TraceValuesOf({}), text));
  static_cast<void>(octet::CheckLogBody(octet::LogValuesOf({}), text));
  static_cast<void>(octet::FindRoute("GET", text));
  static_cast<void>(octet::ParseAcceptEncoding(text));

  octet::ByteBudget budget(kMostBytes);
  for (const octet::Coding coding : {octet::Coding::kGzip, octet::Coding::kDeflate}) {
    octet::BodyBuffer out(&budget);
    static_cast<void>(octet::Inflate(coding, bytes, kMostBytes / 2, out));
  }

  octet::RequestParser parser(8192);
  const octet::RequestParser::Progress head = parser.ReadHead(text);
  if (head.is_done && !head.refusal && parser.head().is_chunked) {
    octet::BodyBuffer body(&budget);
    static_cast<void>(parser.ReadChunks(text.substr(head.consumed), kMostBytes / 2, body));
  }
  return 0;
}
