// SPDX-License-Identifier: Apache-2.0
// Why a call failed, where gRPC alone does not say it.

#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"

#include "client/credentials.h"
#include "client/tls_socket.h"

namespace octet::client {

// What is wrong with a server's TLS, in words that name the address, what was got and what is
// wanted; empty without a fault.
std::string DescribeTlsFault(const std::string& address, const TlsReport& report);
// What to do about it.
std::string AdviseOnTlsFault(const TlsReport& report);

// `status` of a call to `address`, with a better message where there is one: of UNAVAILABLE and
// DEADLINE_EXCEEDED what a look at the address tells (no TLS where it is wanted, or the other way
// round; a certificate that is not trusted, has expired, or is for others; a client certificate
// that is missing or refused), of UNAUTHENTICATED whether there was a token. Everything else, and
// where the look finds nothing wrong, comes back as it was. Looks for `timeout` at most.
// `credentials` may be null.
absl::Status Explain(const absl::Status& status, const std::string& address,
                     const Credentials* credentials, std::chrono::milliseconds timeout);

}  // namespace octet::client
