// SPDX-License-Identifier: Apache-2.0
// TLS for gRPC whose certificates change while it serves.

#pragma once

#include <memory>

#include "grpcpp/security/server_credentials.h"

#include "server/access/credential_files.h"

namespace octet {

// Each connection shows what `provider` has when it begins. `provider` is borrowed for as long as a
// server with these credentials lives, and so are they: a server keeps what they are made of, not
// them. TLS 1.2 and newer.
std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(const TlsProvider& provider,
                                                              ClientCertificates clients);

}  // namespace octet
