// SPDX-License-Identifier: Apache-2.0
// From the configuration: TLS, who is known, and what each listener asks of callers.

#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "server/access/access_control.h"
#include "server/access/tls_credentials.h"

namespace octet::config::v1 {
class ServerConfig;
}

namespace octet {

struct AccessSettings {
  // Of one listener.
  struct Tls {
    bool is_on = false;
    ClientCertificates clients = ClientCertificates::kIgnored;
  };

  TlsFiles tls_files;       // no certificate: none
  std::string access_file;  // empty: none
  AccessPolicy policy;
  std::array<Tls, kNumListenerKinds> tls;  // by ListenerKind
  std::vector<std::string> warnings;       // of what is allowed and hardly meant

  [[nodiscard]] const Tls& tls_of(ListenerKind listener) const {
    return tls[static_cast<std::size_t>(listener)];
  }
};

// The listeners' addresses, by ListenerKind.
using ListenerAddresses = std::array<std::string, kNumListenerKinds>;

// `origin` says where a field came from, for messages. Appends to `errors` everything that is
// wrong, in the files too.
AccessSettings TakeAccess(const config::v1::ServerConfig& message,
                          const ListenerAddresses& addresses,
                          const std::function<std::string(const std::string& field)>& origin,
                          std::vector<std::string>& errors);

}  // namespace octet
