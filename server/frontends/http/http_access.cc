// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/http_access.h"

namespace octet {
namespace {

class HttpCaller final : public Caller {
 public:
  HttpCaller(const RequestHead& head, const HttpPeer& peer) : head_(head), peer_(peer) {}

  [[nodiscard]] bool IsOwnMachine() const override { return peer_.is_own_machine; }
  [[nodiscard]] absl::string_view Authorization() const override {
    return head_.Find("authorization");
  }
  void VisitCertificateNames(NameVisitor visit) const override {
    if (peer_.certificate_names == nullptr) return;
    for (const auto& [kind, name] : *peer_.certificate_names) visit(kind, name);
  }

 private:
  const RequestHead& head_;
  const HttpPeer& peer_;
};

}  // namespace

Operation OperationOfRoute(RouteId route) {
  switch (route) {
    case RouteId::kLive:
    case RouteId::kReady:
    case RouteId::kModelReady:
      return Operation::kHealth;
    case RouteId::kServerMetadata:
    case RouteId::kOpenApi:
    case RouteId::kModelMetadata:
    case RouteId::kModelConfig:
      return Operation::kDescribe;
    case RouteId::kInfer:
      return Operation::kInfer;
    case RouteId::kStatusPage:
    case RouteId::kMetrics:
    case RouteId::kModelStatistics:
    case RouteId::kAllStatistics:
    case RouteId::kRepositoryIndex:
      return Operation::kRead;
    case RouteId::kLoad:
    case RouteId::kUnload:
    case RouteId::kTraceSettings:
    case RouteId::kSetTraceSettings:
    case RouteId::kLogSettings:
    case RouteId::kSetLogSettings:
    case RouteId::kSharedMemory:
      break;
  }
  return Operation::kManage;
}

HttpAuthorize AuthorizeBy(const AccessControl& access, ListenerKind listener) {
  return [&access, listener, refuse_pages = AuthorizeManagement(ManagementCallers::kAll)](
             const Route& route, const RequestHead& head, const HttpPeer& peer) {
    if (absl::Status status = refuse_pages(route, head, peer); !status.ok()) return status;
    return access.Authorize(listener, OperationOfRoute(route.id), route.path,
                            HttpCaller(head, peer));
  };
}

}  // namespace octet
