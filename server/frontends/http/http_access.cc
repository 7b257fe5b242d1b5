// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/http_access.h"

#include "absl/strings/str_cat.h"

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

HttpAuthorize AuthorizeBy(const AccessControl& access, ListenerKind listener) {
  return [&access, listener](const Route& route, const RequestHead& head, const HttpPeer& peer) {
    if (route.operation == Operation::kManage && !head.Find("Origin").empty()) {
      return absl::PermissionDeniedError(
          absl::StrCat(route.path, " is not for web pages: wants no Origin"));
    }
    return access.Authorize(listener, route.operation, route.path, HttpCaller(head, peer));
  };
}

}  // namespace octet
