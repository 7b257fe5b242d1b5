// SPDX-License-Identifier: Apache-2.0

#include "server/access/access_control.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace octet {
namespace {

// What a caller proves, with the roles of all of it.
class Proved {
 public:
  Roles roles;
  std::string names;  // of its identities
  bool has_certificate = false;
  bool has_unknown_token = false;

  void Add(const Identity& identity) {
    roles = roles | identity.roles;
    if (last_name_ == identity.name) return;  // by another name in the same certificate
    last_name_ = identity.name;
    absl::StrAppend(&names, names.empty() ? "" : " and ", identity.name);
  }

 private:
  absl::string_view last_name_;
};

// The token of "Bearer TOKEN"; empty of anything else.
absl::string_view BearerToken(absl::string_view authorization) {
  constexpr absl::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return {};
  return absl::StripAsciiWhitespace(authorization.substr(kScheme.size()));
}

// As much of what `caller` proves as it takes to have any of `enough`.
Proved WhatProves(const Caller& caller, const IdentityList& identities, Roles enough) {
  Proved proved;
  caller.VisitCertificateNames([&](CertificateNameKind kind, absl::string_view name) {
    proved.has_certificate = true;
    const Identity* const identity = identities.FindCertificate(kind, name);
    if (identity != nullptr) proved.Add(*identity);
  });
  if (!identities.has_tokens() || proved.roles.HasAnyOf(enough)) return proved;
  const absl::string_view authorization = caller.Authorization();
  if (authorization.empty()) return proved;
  const Identity* const identity = identities.FindToken(BearerToken(authorization));
  if (identity == nullptr) {
    proved.has_unknown_token = true;
  } else {
    proved.Add(*identity);
  }
  return proved;
}

std::string WhatToSend(const IdentityList& identities) {
  const char* const token = identities.has_tokens() ? "the header authorization: Bearer TOKEN" : "";
  const char* const certificate = identities.has_certificates() ? "a client certificate" : "";
  return absl::StrCat(token, *token != '\0' && *certificate != '\0' ? " or " : "", certificate);
}

absl::Status Refusal(Operation operation, absl::string_view method, const Proved& proved,
                     const IdentityList& identities) {
  const std::string needs = absl::StrCat(method.substr(0, 128), " needs the role ",
                                         RoleNames(RolesFor(operation), " or "));
  if (proved.has_unknown_token) {
    return absl::UnauthenticatedError(
        absl::StrCat(needs,
                     "; this server does not know the bearer token: send one of its access "
                     "file, as authorization: Bearer TOKEN"));
  }
  if (!proved.names.empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat(needs, "; the caller, ", proved.names, ", has ", RoleNames(proved.roles),
                     ": give it the role in the server's access file"));
  }
  if (proved.has_certificate && !identities.has_tokens()) {
    return absl::PermissionDeniedError(absl::StrCat(
        needs, "; no name of the client certificate is in the server's access file: add one"));
  }
  return absl::UnauthenticatedError(absl::StrCat(needs, "; send ", WhatToSend(identities),
                                                 " that the server's access file knows"));
}

// Of a server where nobody can prove anything.
absl::Status RefusalWithoutIdentities(Operation operation, absl::string_view method,
                                      const ListenerPolicy& policy) {
  if (policy.own_machine.HasAnyOf(RolesFor(operation))) {
    return absl::PermissionDeniedError(absl::StrCat(
        method.substr(0, 128),
        " is for callers on the server's own machine: call it there over its loopback or a Unix "
        "socket, or start the server with --allow-management, or with --access-file and a role"));
  }
  return absl::PermissionDeniedError(absl::StrCat(
      method.substr(0, 128), " needs the role ", RoleNames(RolesFor(operation), " or "),
      ", which nobody has here: start the server with --access-file"));
}

}  // namespace

const char* ListenerKindName(ListenerKind listener) {
  switch (listener) {
    case ListenerKind::kGrpc:
      return "grpc";
    case ListenerKind::kHttp:
      return "http";
    case ListenerKind::kMetrics:
      break;
  }
  return "metrics";
}

void AccessControl::SetIdentities(std::shared_ptr<const IdentityList> identities) {
  {
    const MutexLock lock(mutex_);
    identities_.swap(identities);  // the old one is destroyed without the lock
  }
  generation_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const IdentityList> AccessControl::identities() const {
  const MutexLock lock(mutex_);
  return identities_;
}

absl::Status AccessControl::Authorize(ListenerKind listener, Operation operation,
                                      absl::string_view method, const Caller& caller) const {
  if (operation == Operation::kHealth && !policy_.protect_health) return absl::OkStatus();
  const ListenerPolicy& policy = policy_.of(listener);
  const Roles enough = RolesFor(operation);
  if (policy.anonymous.HasAnyOf(enough)) return absl::OkStatus();
  if (policy.own_machine.HasAnyOf(enough) && caller.IsOwnMachine()) return absl::OkStatus();

  absl::Status refusal;
  const std::shared_ptr<const IdentityList> list = identities();
  if (list == nullptr) {
    refusal = RefusalWithoutIdentities(operation, method, policy);
  } else {
    const Proved proved = WhatProves(caller, *list, enough);
    if (proved.roles.HasAnyOf(enough)) return absl::OkStatus();
    refusal = Refusal(operation, method, proved, *list);
  }
  Counts& counts = refusals_[static_cast<std::size_t>(listener)];
  (absl::IsUnauthenticated(refusal) ? counts.unauthenticated : counts.permission_denied)
      .fetch_add(1, std::memory_order_relaxed);
  return refusal;
}

AccessControl::Refusals AccessControl::refusals(ListenerKind listener) const {
  const Counts& counts = refusals_[static_cast<std::size_t>(listener)];
  return {.unauthenticated = counts.unauthenticated.load(std::memory_order_relaxed),
          .permission_denied = counts.permission_denied.load(std::memory_order_relaxed)};
}

}  // namespace octet
