// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/grpc_caller.h"

#include <array>
#include <memory>

#include "grpc/grpc_security.h"
#include "grpc/grpc_security_constants.h"

#include "server/access/own_machine.h"

namespace octet {
namespace {

struct NamedProperty {
  absl::string_view property;
  CertificateNameKind kind;
};
// gRPC has read the certificate's names once, when the connection began.
constexpr std::array<NamedProperty, kNumCertificateNameKinds> kNames = {
    {{GRPC_PEER_URI_PROPERTY_NAME, CertificateNameKind::kUri},
     {GRPC_PEER_DNS_PROPERTY_NAME, CertificateNameKind::kDns},
     {GRPC_PEER_EMAIL_PROPERTY_NAME, CertificateNameKind::kEmail},
     {GRPC_PEER_IP_PROPERTY_NAME, CertificateNameKind::kIp},
     {GRPC_X509_CN_PROPERTY_NAME, CertificateNameKind::kCommonName},
     {GRPC_X509_SUBJECT_PROPERTY_NAME, CertificateNameKind::kSubject}}};

}  // namespace

bool GrpcCaller::IsOwnMachine() const { return octet::IsOwnMachine(context_.peer()); }

absl::string_view GrpcCaller::Authorization() const {
  const auto found = context_.client_metadata().find("authorization");
  if (found == context_.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

void GrpcCaller::VisitCertificateNames(NameVisitor visit) const {
  const std::unique_ptr<grpc_auth_context, decltype(&grpc_auth_context_release)> connection(
      grpc_call_auth_context(context_.c_call()), &grpc_auth_context_release);
  if (!connection || grpc_auth_context_peer_is_authenticated(connection.get()) == 0) return;
  grpc_auth_property_iterator next = grpc_auth_context_property_iterator(connection.get());
  while (const grpc_auth_property* const property = grpc_auth_property_iterator_next(&next)) {
    for (const NamedProperty& name : kNames) {
      if (name.property != property->name) continue;
      visit(name.kind, {property->value, property->value_length});
    }
  }
}

}  // namespace octet
