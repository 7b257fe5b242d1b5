// SPDX-License-Identifier: Apache-2.0
// gRPC channels and calls with a client's credentials.

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "grpcpp/grpcpp.h"

#include "client/credentials.h"

namespace octet::client {

enum class ChannelConnection : std::uint8_t {
  kShared,  // with other channels to the same address
  kOwn,
};

// Does not connect yet. `credentials` may be null: no TLS, no token.
// Precondition: credentials->CheckUseAt(address).ok().
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const Credentials* credentials,
                                           ChannelConnection connection);

// Adds the token, if there is one.
void Authorize(grpc::ClientContext& context, const Credentials* credentials);

}  // namespace octet::client
