// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/request_origin.h"

#include "absl/strings/string_view.h"

namespace octet {
namespace {

// All headers of a name, in their order, with commas between them.
std::string Header(const grpc::ServerContext& call, const char* name) {
  std::string whole;
  const auto [begin, end] = call.client_metadata().equal_range(name);
  for (auto header = begin; header != end; ++header) {
    if (header != begin) whole += ',';
    whole.append(header->second.data(), header->second.size());
  }
  return whole;
}

}  // namespace

void ObserveRequest(const InferenceService& service, const grpc::ServerContext& call,
                    const std::string& id, const char* method, InferenceRequest& request) {
  if (service.observer() == nullptr) return;
  const std::string header_id = Header(call, "x-request-id");
  const std::string traceparent = Header(call, "traceparent");
  const std::string tracestate = Header(call, "tracestate");
  request.record = service.observer()->Begin({.id = id,
                                              .header_id = header_id,
                                              .traceparent = traceparent,
                                              .tracestate = tracestate,
                                              .method = method});
}

}  // namespace octet
