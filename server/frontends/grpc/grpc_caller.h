// SPDX-License-Identifier: Apache-2.0
// A call's maker, as server/access asks for it.

#pragma once

#include "grpcpp/server_context.h"

#include "server/access/access_control.h"

namespace octet {

class GrpcCaller final : public Caller {
 public:
  // Borrows `context`, of a call that has begun.
  explicit GrpcCaller(grpc::ServerContext& context) : context_(context) {}

  [[nodiscard]] bool IsOwnMachine() const override;
  [[nodiscard]] absl::string_view Authorization() const override;
  void VisitCertificateNames(NameVisitor visit) const override;

 private:
  grpc::ServerContext& context_;
};

}  // namespace octet
