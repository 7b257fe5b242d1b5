// SPDX-License-Identifier: Apache-2.0
// What `octet doctor` looks at; each adds to `findings`, and fails itself in nothing.

#pragma once

#include <chrono>
#include <string>

#include "client/cli/findings.h"

namespace octet::cli {

// This machine, for a server that would be started here: CPU, quota, memory, descriptors, ports,
// clock. `root` is where proc and sys lie.
void CheckHost(const std::string& root, Findings& findings);

// A bundle, as a server here would load it.
void CheckBundle(const std::string& path, Findings& findings);

// A server: "host:port" or "unix:PATH". Each question waits for `timeout` at most.
void CheckServer(const std::string& address, std::chrono::milliseconds timeout, Findings& findings);

}  // namespace octet::cli
