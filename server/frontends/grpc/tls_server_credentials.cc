// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/tls_server_credentials.h"

#include <string>

#include "grpc/grpc_security.h"
#include "grpc/grpc_security_constants.h"

namespace octet {
namespace {

grpc_ssl_client_certificate_request_type RequestType(ClientCertificates clients) {
  switch (clients) {
    case ClientCertificates::kIgnored:
      return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    case ClientCertificates::kVerified:
      return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    case ClientCertificates::kRequired:
      break;
  }
  return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
}

// Why not gRPC's own watcher of files: it takes a key and a certificate that do not belong
// together, which exist for a moment whenever two files are exchanged, and from then on fails every
// handshake. Here gRPC asks at each handshake, and gets only what server/access has checked.
class ReloadedCredentials final : public grpc::ServerCredentials {
 public:
  ReloadedCredentials(const TlsProvider& provider, ClientCertificates clients)
      : provider_(provider),
        credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(RequestType(clients),
                                                                            &Fetch, this))) {}
  ~ReloadedCredentials() override { grpc_server_credentials_release(credentials_); }

  // Takes none: who may do what is asked where a call is read (grpc_caller.h).
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // gRPC calls it under a lock of the port's, at each handshake.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<ReloadedCredentials*>(self)->FetchNew(config);
  }

  grpc_ssl_certificate_config_reload_status FetchNew(grpc_ssl_server_certificate_config** config) {
    std::shared_ptr<const TlsCredentials> now = provider_.current();
    if (now == fetched_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const TlsPem& pem = now->pem();
    const grpc_ssl_pem_key_cert_pair pair = {.private_key = pem.key.c_str(),
                                             .cert_chain = pem.certificate.c_str()};
    // gRPC wants some, also where it asks clients for no certificate and so trusts none of them.
    const std::string& roots = pem.client_ca.empty() ? pem.certificate : pem.client_ca;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    fetched_ = std::move(now);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const TlsProvider& provider_;
  std::shared_ptr<const TlsCredentials> fetched_;  // under gRPC's lock
  grpc_server_credentials* const credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(const TlsProvider& provider,
                                                              ClientCertificates clients) {
  return std::make_shared<ReloadedCredentials>(provider, clients);
}

}  // namespace octet
