// SPDX-License-Identifier: Apache-2.0
#include "client/channel.h"

namespace octet::client {

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const Credentials* credentials,
                                           ChannelConnection connection) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  if (connection == ChannelConnection::kOwn) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  }
  if (credentials == nullptr || !credentials->has_tls()) {
    // A token in plain text is for this machine: a proxy of the environment is elsewhere.
    if (credentials != nullptr && credentials->has_token()) {
      arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    }
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  }
  if (!credentials->server_name_override().empty()) {
    arguments.SetSslTargetNameOverride(credentials->server_name_override());
  }
  return grpc::CreateCustomChannel(address,
                                   grpc::SslCredentials({
                                       .pem_root_certs = credentials->ca_pem(),
                                       .pem_private_key = credentials->key_pem(),
                                       .pem_cert_chain = credentials->certificate_pem(),
                                   }),
                                   arguments);
}

void Authorize(grpc::ClientContext& context, const Credentials* credentials) {
  if (credentials == nullptr || !credentials->has_token()) return;
  context.AddMetadata("authorization", credentials->authorization());
}

}  // namespace octet::client
