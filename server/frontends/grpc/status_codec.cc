// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/status_codec.h"

#include <string>

namespace octet {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  // Each byte may become three on the wire, and peers take 8 KiB of trailers by default.
  constexpr std::size_t kMostBytes = 2048;
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(status.message().substr(0, kMostBytes))};
}

}  // namespace octet
